// Loaded before a node (LD_PRELOAD), makes each fdatasync take SLOW_SYNC_US microseconds more: what of
// a rate depends on the disk?
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  const char* more = getenv("SLOW_SYNC_US");
  if (more) usleep((useconds_t)atoi(more));
  return real(fd);
}
