/* salp map, as main knows it. SPDX-License-Identifier: MIT */
#include "cli/cli.h"
#include "cli/map.h"

int cli_map(int argc, char **argv)
{
    return map_main(argc, argv);
}
