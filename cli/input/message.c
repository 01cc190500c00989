/*
 * SPDX-License-Identifier: MIT
 */
#include "input/message.h"

#include <stdarg.h>
#include <stdio.h>

#include <salp/error.h>

/* In one piece, if it fits: others may write to the same terminal. */
static int tell(int error, const char *meaning, const char *format, va_list arguments)
{
    char text[1024];
    vsnprintf(text, sizeof text, format, arguments);
    fprintf(stderr, "salp map: %s%s%s\n", text, meaning ? ": " : "", meaning ? meaning : "");
    return error;
}

int input_tell(int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(error, NULL, format, arguments);
    va_end(arguments);
    return error;
}

int input_tell_error(int error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    tell(error, salp_strerror(error), format, arguments);
    va_end(arguments);
    return error;
}
