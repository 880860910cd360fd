/* The command line tool. */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return chy_cli_run(argc, argv, stdout, stderr);
}
