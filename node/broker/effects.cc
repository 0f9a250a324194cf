#include "node/broker/effects.h"

namespace shoal {

void Effects::clear() {
  dirty.clear();
  closes.clear();
  to_hub.clear();
  to_workers.clear();
  credential_checks.clear();
  pause_reading.clear();
  resume_reading.clear();
  log.clear();
  wishes.clear();
  more = false;
}

}  // namespace shoal
