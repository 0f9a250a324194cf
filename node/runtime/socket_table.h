// The sockets of one worker, small and in one piece: an idle plain connection costs one Socket here
// and nothing else. An index is used again, so that a reference is (index, generation).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "node/runtime/file_descriptor.h"
#include "node/runtime/transport.h"
#include "shoal/types.h"

namespace shoal {

struct SocketRef {
  uint32_t index = 0;
  uint32_t generation = 0;
};

struct Socket {
  enum class State : uint8_t {
    kFree,
    kOpening,    // its transport is not through yet; the broker does not know it
    kOpen,       // the broker's connection `conn`
    kFlushing,   // the broker closed it after what its output still holds
    kLingering,  // all is written; until the client has closed too, or time is up
  };

  FileDescriptor fd;
  uint32_t generation = 0;
  ConnId conn;
  uint16_t listener = 0;
  State state = State::kFree;
  bool is_paused : 1 = false;            // the broker wants no bytes now
  bool waits_to_write : 1 = false;       // the socket was full
  bool read_waits_to_write : 1 = false;  // TLS: a read goes on when something is written
  bool wrote_this_turn : 1 = false;
  bool is_turned_away : 1 = false;       // one too many: here only to be told so
  uint32_t interest = 0;                 // as epoll knows it
  Instant connect_by;                    // kOpening: until then, and its CONNECT too
  std::unique_ptr<Transport> transport;  // null: plain TCP
};

class SocketTable {
 public:
  uint32_t add();
  void remove(uint32_t index);  // closes the descriptor

  Socket& at(uint32_t index) { return sockets_[index]; }
  SocketRef ref_of(uint32_t index) const { return {index, sockets_[index].generation}; }
  // Null when that socket is gone.
  Socket* find(SocketRef ref);
  uint32_t index_of(const Socket& socket) const {
    return static_cast<uint32_t>(&socket - sockets_.data());
  }

  // The socket of a broker's connection. ConnIds count up from 0 and are used again, too.
  void bind(ConnId conn, uint32_t index);
  void unbind(ConnId conn);
  Socket* of(ConnId conn);

  template <class Visit>
  void for_each(Visit&& visit) {
    for (Socket& socket : sockets_) {
      if (socket.state != Socket::State::kFree) visit(socket);
    }
  }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;

  std::vector<Socket> sockets_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> index_by_slot_;
};

}  // namespace shoal
