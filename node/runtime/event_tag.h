// What an event of a worker's epoll set is about, in the 64 bits that epoll keeps for it.
#pragma once

#include <cstdint>

#include "node/runtime/socket_table.h"

namespace shoal {

struct EventTag {
  uint64_t value = 0;

  static EventTag of_socket(SocketRef ref) { return {uint64_t{ref.generation} << 32 | ref.index}; }
  static EventTag of_wake_up() { return {kWakeUp}; }
  static EventTag of_listener(uint16_t listener) { return {kListeners + listener}; }

  bool is_wake_up() const { return value == kWakeUp; }
  bool is_listener() const { return index() >= kListeners; }
  uint16_t listener() const { return static_cast<uint16_t>(index() - kListeners); }
  SocketRef socket() const { return {index(), static_cast<uint32_t>(value >> 32)}; }

 private:
  // Above any index of a socket: descriptors end long before.
  static constexpr uint32_t kListeners = 0xFFFE0000;
  static constexpr uint32_t kWakeUp = 0xFFFF0000;

  uint32_t index() const { return static_cast<uint32_t>(value); }
};

}  // namespace shoal
