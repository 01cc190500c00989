/* The functions of OpenSSL. SPDX-License-Identifier: MIT */
#include "stream/openssl.h"

#include <salp/error.h>

#include "os/fault.h"
#include "os/library.h"

/* The interface is that of the headers: of the same version. */
#define TEXT_OF(number) #number
#define FILE_OF(version) "libssl.so." TEXT_OF(version)

salp__openssl salp__ssl;

static bool find_all(void *handle)
{
    bool found = true;
#define FIND(name) found = found && salp__library_find(handle, #name, &salp__ssl.name)
    SALP__OPENSSL_EACH(FIND);
#undef FIND
    return found;
}

static salp__library library = {
    .name = FILE_OF(OPENSSL_SHLIB_VERSION), /* which brings libcrypto */
    .find_all = find_all,
};

int salp__openssl_load(char *why, size_t size)
{
    SALP__FAULT(SALP_ETLSLIBRARY);
    return salp__library_load(&library, why, size) < 0 ? SALP_ETLSLIBRARY : 0;
}
