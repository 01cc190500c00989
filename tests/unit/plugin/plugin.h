/*
 * What the plugin of the tests offers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PLUGIN_H
#define PLUGIN_H

#define PLUGIN_LOADED "SALP_TEST_PLUGIN_LOADED" /* environment variable, set by its constructor */

__attribute__((visibility("default"))) int plugin_answer(void);
__attribute__((visibility("default"))) int plugin_call(int (*function)(int), int number);

#endif
