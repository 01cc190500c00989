/*
 * Which sanitizer the compiler builds for, by the names that gcc gives: clang asks in another way.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SANITIZER_H
#define SALP__SANITIZER_H

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#if __has_feature(thread_sanitizer) && !defined(__SANITIZE_THREAD__)
#define __SANITIZE_THREAD__ 1
#endif
#endif

#endif
