#include "node/runtime/socket_table.h"

#include "shoal/assert.h"

namespace shoal {

uint32_t SocketTable::add() {
  if (!free_.empty()) {
    const uint32_t index = free_.back();
    free_.pop_back();
    return index;
  }
  sockets_.emplace_back();
  return static_cast<uint32_t>(sockets_.size() - 1);
}

void SocketTable::remove(uint32_t index) {
  const uint32_t generation = sockets_[index].generation + 1;
  sockets_[index] = Socket();
  sockets_[index].generation = generation;
  free_.push_back(index);
}

Socket* SocketTable::find(SocketRef ref) {
  if (ref.index >= sockets_.size()) return nullptr;
  Socket& socket = sockets_[ref.index];
  return socket.generation == ref.generation && socket.state != Socket::State::kFree ? &socket
                                                                                     : nullptr;
}

void SocketTable::bind(ConnId conn, uint32_t index) {
  if (conn.slot >= index_by_slot_.size()) index_by_slot_.resize(conn.slot + 1, kNone);
  SHOAL_ASSERT(index_by_slot_[conn.slot] == kNone);
  index_by_slot_[conn.slot] = index;
  sockets_[index].conn = conn;
}

void SocketTable::unbind(ConnId conn) {
  SHOAL_ASSERT(of(conn) != nullptr);
  index_by_slot_[conn.slot] = kNone;
}

Socket* SocketTable::of(ConnId conn) {
  if (conn.slot >= index_by_slot_.size() || index_by_slot_[conn.slot] == kNone) return nullptr;
  Socket& socket = sockets_[index_by_slot_[conn.slot]];
  return socket.conn == conn ? &socket : nullptr;
}

}  // namespace shoal
