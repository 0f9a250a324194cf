// A node's wall clock that the fault test sets: preloaded, it adds to CLOCK_REALTIME the nanoseconds that stand in the
// file $FAULT_CLOCK. The machine's own clock stays as it is, for its other users. What waits until a time of
// that clock is put back by as much, since the kernel waits by the real one; a wait that has begun keeps its length.
// glibc's own calls (of its log functions, say) are not seen: no promise hangs on them.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const int64_t kNsPerS = 1000000000;
// A later time is of the wall clock: the others begin when a machine does.
static const time_t kLeastWallS = 1000000000;

static int64_t no_offset_ns;
static volatile const int64_t* offset_ns = &no_offset_ns;

// The C library's own of that name. Asked for when it is called first: that is before on_load() in the constructors of
// other libraries, and in a thread that the allocator starts.
#define REAL(name)                                                       \
  __extension__({                                                        \
    static __typeof__(&name) found;                                      \
    __typeof__(&name) known = __atomic_load_n(&found, __ATOMIC_RELAXED); \
    if (!known) {                                                        \
      known = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                \
      __atomic_store_n(&found, known, __ATOMIC_RELAXED);                 \
    }                                                                    \
    known;                                                               \
  })

__attribute__((constructor)) static void on_load(void) {
  const char* const path = getenv("FAULT_CLOCK");
  const int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void* const page = mmap(NULL, sizeof no_offset_ns, PROT_READ, MAP_SHARED, file, 0);
  if (page != MAP_FAILED) offset_ns = page;
  close(file);
}

static struct timespec moved(struct timespec time, int64_t by_ns) {
  const int64_t ns = time.tv_sec * kNsPerS + time.tv_nsec + by_ns;
  return (struct timespec){.tv_sec = ns / kNsPerS, .tv_nsec = ns % kNsPerS};
}

static struct timespec by_kernel(const struct timespec* until) {
  return until->tv_sec < kLeastWallS ? *until : moved(*until, -*offset_ns);
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  const int result = REAL(clock_gettime)(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    *time = moved(*time, *offset_ns);
  }
  return result;
}

int gettimeofday(struct timeval* restrict time, void* restrict zone) {
  (void)zone;
  struct timespec now;
  const int result = clock_gettime(CLOCK_REALTIME, &now);
  *time = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
  return result;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t* condition, pthread_mutex_t* mutex,
                           const struct timespec* until) {
  const struct timespec kernels = by_kernel(until);
  return REAL(pthread_cond_timedwait)(condition, mutex, &kernels);
}

int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const struct timespec* until) {
  const struct timespec kernels = by_kernel(until);
  return REAL(pthread_cond_clockwait)(condition, mutex, clock, &kernels);
}

// Abseil waits by futexes until a time of CLOCK_REALTIME.
long syscall(long number, ...) {
  va_list list;
  long a[6];
  va_start(list, number);
  for (int i = 0; i < 6; ++i) a[i] = va_arg(list, long);
  va_end(list);
  struct timespec kernels;
  if (number == SYS_futex && (a[1] & FUTEX_CLOCK_REALTIME) && a[3]) {
    kernels = by_kernel((const struct timespec*)a[3]);
    a[3] = (long)&kernels;
  }
  return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
