#include "node/runtime/wake_up.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "shoal/assert.h"

namespace shoal {

WakeUp::WakeUp() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { SHOAL_ASSERT(fd_ >= 0); }

WakeUp::~WakeUp() { ::close(fd_); }

void WakeUp::clear() {
  eventfd_t count = 0;
  ::eventfd_read(fd_, &count);
}

void WakeUp::signal() { ::eventfd_write(fd_, 1); }

}  // namespace shoal
