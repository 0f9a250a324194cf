// What the apply of an entry brought about. Every replica lists the same; the leader alone carries
// it out, and the others clear it. Within one kind the order holds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/shard/entry.h"
#include "cluster/shard/records.h"
#include "shoal/types.h"

namespace shoal::shard {

struct Effects {
  enum class Outcome : uint8_t {
    kApplied,
    kRepeat,      // it was applied before: answer as then
    kGap,         // a number before it is missing: submit again from there on
    kOldLife,     // of an incarnation before the last
    kStaleEpoch,  // the client has another connection by now
    kNoSession,
    kRefusedUser,  // Connect: the session is another user's (0x87)
    kMalformed,
  };
  // What became of a numbered submission.
  struct Done {
    Source source;
    Outcome outcome = Outcome::kApplied;
    // Of a Subscribe with shared filters: what of the outbox tells the groups' shards of it; that has
    // to be answered first. 0: nothing.
    uint64_t outbox_first = 0;
    uint64_t outbox_last = 0;
    bool operator==(const Done&) const = default;
  };
  struct Connected {
    std::string client_id;
    OpPlace epoch = 0;
    bool session_present = false;
    NodeId node;
    uint64_t incarnation = 0;
    WorkerIndex worker = 0;
    bool operator==(const Connected&) const = default;
  };
  // The connection of this epoch is to be closed (0x8E): another has the client id.
  struct Evicted {
    std::string client_id;
    OpPlace epoch = 0;
    NodeId node;
    uint64_t incarnation = 0;
    WorkerIndex worker = 0;
    bool operator==(const Evicted&) const = default;
  };
  // Numbers up to `window_end` of an attached session may be sent.
  struct Deliverable {
    std::string client_id;
    OpPlace epoch = 0;
    uint64_t window_end = 0;
    bool operator==(const Deliverable&) const = default;
  };
  struct Ended {
    std::string client_id;
    bool operator==(const Ended&) const = default;
  };
  struct Drop {
    std::string owner;  // a client id, or "$share/NAME/FILTER"
    DropReason reason = DropReason::kExpired;
    bool operator==(const Drop&) const = default;
  };
  // The filter is wanted, or not any more, by this shard; of a shared subscription, whose filter is
  // the whole "$share/NAME/FILTER", how many members are attached and how many are not.
  struct RouteChange {
    std::string filter;
    uint32_t online = 0;
    uint32_t offline = 0;
    bool wanted() const { return online != 0 || offline != 0; }
    bool operator==(const RouteChange&) const = default;
  };
  struct ReplayWanted {
    std::string client_id;
    std::string filter;
    OpPlace replay = 0;
    bool operator==(const ReplayWanted&) const = default;
  };
  // OutboxInOp: whether the source shard may count it as answered.
  struct OutboxAnswer {
    uint32_t source_shard = 0;
    uint64_t number = 0;
    bool accepted = false;  // or a repeat; otherwise an item before it is missing
    // Of a piece: so many bytes are here. Not accepted: it goes on behind them.
    std::optional<uint64_t> received = {};
    bool operator==(const OutboxAnswer&) const = default;
  };

  // How much of a worker's upload is here; `is_gap`: it goes on behind that.
  struct Uploaded {
    Upload upload;
    uint64_t bytes = 0;
    bool is_gap = false;
    bool operator==(const Uploaded&) const = default;
  };

  std::vector<Done> done;
  std::vector<Uploaded> uploaded;
  std::vector<Connected> connected;
  std::vector<Evicted> evicted;
  std::vector<Deliverable> deliverable;
  std::vector<Ended> ended;
  std::vector<Drop> drops;
  std::vector<RouteChange> routes;
  std::vector<ReplayWanted> replays;
  std::vector<OutboxAnswer> outbox_answers;
  std::vector<uint64_t> picked;            // messages of the outbox whose picks are known
  std::vector<std::string> groups_filled;  // shared subscriptions with something to take
  std::vector<std::string>
      members_drained;      // who share, and have room for half of a window or more
  uint64_t outbox_end = 0;  // above it nothing is in the outbox; 0: as before

  void clear() { *this = Effects(); }
  bool operator==(const Effects&) const = default;
};

}  // namespace shoal::shard
