#include "node/codec/packet_lists.h"

#include "node/codec/byte_sink.h"
#include "node/codec/subscribe_options.h"

namespace shoal {
namespace packet_lists_detail {

std::string_view ReadFilter::read(const uint8_t* at) {
  return text_of(ByteView(at + 2, static_cast<size_t>(at[0] << 8 | at[1])));
}

const uint8_t* ReadFilter::after(const uint8_t* at) { return at + 2 + (at[0] << 8 | at[1]); }

SubscriptionRequest ReadSubscription::read(const uint8_t* at) {
  const uint8_t options = *ReadFilter::after(at);
  return {.filter = ReadFilter::read(at),
          .qos = static_cast<Qos>(options & kSubscribeQos),
          .no_local = (options & kSubscribeNoLocal) != 0,
          .retain_as_published = (options & kSubscribeRetainAsPublished) != 0,
          .retain_handling = retain_handling_of(options)};
}

const uint8_t* ReadSubscription::after(const uint8_t* at) { return ReadFilter::after(at) + 1; }

}  // namespace packet_lists_detail

void append_filter(std::string_view filter, std::vector<uint8_t>& out) {
  const size_t old_size = out.size();
  out.resize(old_size + 2 + filter.size());
  ByteSink sink(out.data() + old_size);
  put_string(sink, filter);
}

void append_subscription(const SubscriptionRequest& request, std::vector<uint8_t>& out) {
  append_filter(request.filter, out);
  out.push_back(static_cast<uint8_t>(
      static_cast<int>(request.qos) | (request.no_local ? kSubscribeNoLocal : 0) |
      (request.retain_as_published ? kSubscribeRetainAsPublished : 0) |
      request.retain_handling << kSubscribeRetainHandlingShift));
}

}  // namespace shoal
