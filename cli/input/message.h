/*
 * What the user is told about inputs and commands that are wrong: a line on standard error that begins with "salp map: ".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_MESSAGE_H
#define CLI_INPUT_MESSAGE_H

/* Tells, as printf does, and returns the error. */
int input_tell(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same, and says what the error means. */
int input_tell_error(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
