/* The texts of errors. SPDX-License-Identifier: MIT */
#include <salp/error.h>

#include <string.h>

const char *salp_strerror(int error)
{
    if (error >= 0)
        return "success";
    switch (error) {
#define SALP__ERROR_CASE(name, number, text) \
    case number:                             \
        return text;
        SALP_ERRORS(SALP__ERROR_CASE)
#undef SALP__ERROR_CASE
    default:
        break;
    }
    /* strerrordesc_np: constant and thread-safe, unlike strerror; NULL for numbers nobody named. */
    const char *text = error > -4096 ? strerrordesc_np(-error) : NULL;
    return text ? text : "an error that has no name here";
}
