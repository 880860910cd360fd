/* A shared library that is no module. */
int stranger(void);
int stranger(void)
{
    return 1;
}
