// Of one worker, to one shard: messages whose payloads are too large for an op. They go before it in
// pieces, a few on their way at a time, so that nothing behind them, on the lanes, in the log or in the
// state, waits for more than a few pieces. The op is made, and gets its number, when all of it is in the
// state: until then others' ops go by; only what its publisher says later waits behind it (P5).
//
// What was answered is committed. So a new leader has it, and gets what was not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>

#include "cluster/shard/op_parts.h"
#include "shoal/session_store.h"

namespace shoal::replica {

// A longer payload goes in pieces of that, so many on their way at a time, wherever it goes.
constexpr size_t kPieceBytes = 64 * 1024;
constexpr uint64_t kPiecesOnTheWay = 4;

class Uploads {
 public:
  // What is asked of the shard for a message.
  struct Ask {
    std::variant<SessionReceive, ShardPublish> mail;
    bool is_shared = false;  // with other shards

    const MessageRef& message() const {
      return std::visit([](const auto& each) -> const MessageRef& { return each.message; }, mail);
    }
  };
  struct Ready {
    Ask ask;
    uint64_t upload = 0;  // 0: its payload goes with it
  };

  // It has to be added here: it is large, or from a publisher of which something large is here.
  bool takes(const Message& message, size_t piece_bytes) const;
  void add(Ask ask, size_t piece_bytes);
  size_t size() const { return waiting_.size(); }

  // There is another leader: what is not answered goes again.
  void on_leader();
  void on_uploaded(uint64_t upload, uint64_t bytes, bool is_gap);
  // What got lost on its way goes again.
  void on_tick();

  // The next one whose op may go, in the order in which they were added.
  std::optional<Ready> take_ready();
  // An op with the next piece that may go. `of`: node, incarnation and worker of all uploads.
  std::optional<std::string> next_piece(const shard::Upload& of, size_t piece_bytes);

 private:
  struct Waiting {
    Ask ask;
    uint64_t upload = 0;  // 0: only the order makes it wait
    size_t there = 0;     // bytes that are in the state
    size_t sent = 0;
    bool is_gap = false;

    size_t bytes() const { return upload == 0 ? 0 : ask.message()->payload().size(); }
  };

  std::deque<Waiting> waiting_;
  uint64_t last_ = 0;
};

}  // namespace shoal::replica
