// The sessions of a shard whose clients are connected, as its leader knows them: which node has each,
// what it was given, and how much of that has not left for the client yet.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "cluster/shard/shard_state.h"
#include "proto/shoal/store.pb.h"
#include "shoal/types.h"

namespace shoal::replica {

struct Attachment {
  NodeId node;
  uint64_t incarnation = 0;
  WorkerIndex worker = 0;
  shard::OpPlace epoch = 0;
  uint64_t next = 0;  // the lowest number that was not given
  struct Unread {
    uint64_t number;
    size_t bytes;
  };
  std::deque<Unread> unread;
  size_t unread_bytes = 0;
  // The payload of the last message that was given, piece by piece.
  struct Giving {
    uint64_t number = 0;
    shard::BodyId body = 0;
    shard::Pieces pieces;
    uint64_t given = 0;
    uint64_t read = 0;  // that the node has
  };
  std::optional<Giving> giving;
};

class Attachments {
 public:
  explicit Attachments(size_t unread_bytes_max) : unread_bytes_max_(unread_bytes_max) {}

  void clear();
  void attach(const std::string& client_id, Attachment attachment);
  void detach(const std::string& client_id, shard::OpPlace epoch);
  void end(const std::string& client_id);
  const Attachment* find(const std::string& client_id) const;
  const std::map<std::string, Attachment, std::less<>>& all() const { return attached_; }

  // There may be more to give.
  void note(const std::string& client_id);
  void on_room(const proto::StoreRoom& room);
  void on_read(const proto::StorePiecesRead& read);

  // Gives what there is room for. `reply` is where it goes; null: its node cannot be told now.
  using ReplyTo = std::function<proto::StoreReply*(NodeId node, uint64_t incarnation)>;
  void pump(const shard::ShardState& state, int64_t wall_ms, const ReplyTo& reply);

 private:
  bool give(const std::string& client_id, Attachment& to, const shard::ShardState& state,
            int64_t wall_ms, proto::StoreReply& reply);
  static void give_pieces(const std::string& client_id, Attachment& to,
                          const shard::ShardState& state, proto::StoreReply& reply);

  const size_t unread_bytes_max_;
  std::map<std::string, Attachment, std::less<>> attached_;
  std::set<std::string> noted_;
};

}  // namespace shoal::replica
