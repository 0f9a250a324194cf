// Loaded before a node (LD_PRELOAD), makes each fdatasync take SLOW_SYNC_US microseconds more: what of
// a rate depends on the disk? As long as the file HUNG_SYNC_FILE is there, none returns.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  const char* more = getenv("SLOW_SYNC_US");
  if (more) usleep((useconds_t)atoi(more));
  const char* hung = getenv("HUNG_SYNC_FILE");
  while (hung && access(hung, F_OK) == 0) usleep(10000);
  return real(fd);
}
