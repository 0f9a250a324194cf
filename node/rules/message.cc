#include "shoal/message.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "shoal/assert.h"

namespace shoal {

MessageRef Message::create(const MessageView& from, SharedBytes payload_owner) {
  const size_t copied = payload_owner ? 0 : from.payload.size();
  const size_t tail = from.topic.size() + from.properties.size() + copied;
  void* const memory = std::malloc(sizeof(Message) + tail);
  if (memory == nullptr) throw std::bad_alloc();

  Message* const message = new (memory) Message();
  message->view_ = from;
  message->bytes_ = static_cast<uint32_t>(
      std::min<size_t>(UINT32_MAX, sizeof(Message) + tail + from.payload.size() - copied));

  uint8_t* out = static_cast<uint8_t*>(memory) + sizeof(Message);
  const auto append = [&out](const void* data, size_t size) {
    uint8_t* const at = out;
    if (size != 0) std::memcpy(at, data, size);
    out += size;
    return at;
  };
  message->view_.topic = {
      reinterpret_cast<const char*>(append(from.topic.data(), from.topic.size())),
      from.topic.size()};
  message->view_.properties = {append(from.properties.data(), from.properties.size()),
                               from.properties.size()};
  if (payload_owner) {
    message->payload_owner_ = std::move(payload_owner);
  } else {
    message->view_.payload = {append(from.payload.data(), copied), copied};
  }
  return MessageRef(message);
}

void Message::destroy(Message* message) {
  message->~Message();
  std::free(message);
}

}  // namespace shoal
