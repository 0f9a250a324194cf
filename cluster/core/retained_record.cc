#include "cluster/core/retained_record.h"

#include <algorithm>
#include <string>

#include "shoal/byte_view.h"

namespace shoal {

proto::RetainedRecord retained_record_of(const Message& message, const Stamp& stamp,
                                         int64_t expires_ms) {
  proto::RetainedRecord record;
  record.set_counter(stamp.counter);
  record.set_node(stamp.node.value);
  record.set_qos(static_cast<uint32_t>(message.qos()));
  record.set_expires_ms(expires_ms);
  record.set_publisher(message.publisher());
  record.set_properties(std::string(text_of(message.properties())));
  record.set_payload(std::string(text_of(message.payload())));
  return record;
}

int64_t expires_ms_of(const Message& message, Now now) {
  if (message.expires_at() == Instant::never()) return 0;
  return std::max<int64_t>(now.wall_ms + (message.expires_at() - now.mono).to_millis(), 0);
}

}  // namespace shoal
