/* Starting one program with its three pipes, from a process of many threads. */
#ifndef EXEC_SPAWN_H
#define EXEC_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

enum { SPAWN_GROUPS = 64 };

struct spawn_plan {
    char **argv, **envp; /* NULL-ended; argv[0] is an absolute path */
    const char *folder;
    bool as_user; /* below: whom to become, where the process may */
    uid_t uid;
    gid_t gid;
    gid_t group[SPAWN_GROUPS];
    int n_groups;
};

struct spawned {
    pid_t pid;        /* also its process group; 0: none */
    int pidfd;        /* readable when it has ended */
    int in, out, err; /* our ends of its pipes: closed over exec; in and out never block */
};

/* 0, or an errno with what failed. The program is killed when the calling thread ends, so a thread
 * that lives as long as the program is needed: who calls stays. */
int spawn(const struct spawn_plan *plan, struct spawned *out, const char **what);
/* Kills what is left of the group, then takes the program's end off the process table. */
int spawn_reap(struct spawned *s);

#endif
