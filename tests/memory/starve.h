/* The system's memory with a switch: every allocation of the process, whoever's library makes it,
 * passes one counter, and the n-th can be refused. Linked into a program, it replaces malloc. */
#ifndef TEST_MEMORY_STARVE_H
#define TEST_MEMORY_STARVE_H

/* From now on the allocations number `first` to `first + n - 1` of the process fail. */
void starve(unsigned long first, unsigned long n);
/* As starve(), for the calling thread alone: what others allocate meanwhile does not count. */
void starve_me(unsigned long first, unsigned long n);
/* All is granted again. How many were refused since starve(). */
unsigned long starve_end(void);

#endif
