// The words of a Raft group. Plain values: nothing here knows of libraft, of the network or of disks.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "shoal/types.h"

namespace shoal::raft {

using Term = uint64_t;   // 0: none
using Index = uint64_t;  // of an entry, from 1 on; 0: none

// A shard's group. What is recovered of one whose majority is lost for good has a higher incarnation:
// no message of a server of before is for it.
struct GroupId {
  uint32_t shard = 0;
  uint64_t incarnation = 0;
  auto operator<=>(const GroupId&) const = default;
};

// A voter counts in majorities; a learner gets the log and does not.
enum class Role : uint8_t { kVoter = 1, kLearner = 2 };

struct Server {
  NodeId id;
  Role role = Role::kVoter;
  auto operator<=>(const Server&) const = default;
};

// Ordered by id, each once.
struct Configuration {
  std::vector<Server> servers;

  const Server* find(NodeId id) const;
  size_t voters() const;
  bool operator==(const Configuration&) const = default;
};

// Bytes that are never changed, shared by whoever holds the entry; null is no bytes.
using Payload = std::shared_ptr<const std::vector<uint8_t>>;

std::span<const uint8_t> bytes_of(const Payload& payload);

enum class EntryKind : uint8_t {
  kCommand = 1,  // for the state machine
  kBarrier = 2,  // a leader's first: says only that the term has begun
  kChange = 3,   // a Configuration, encoded by wire.h
};

struct Entry {
  Index index = 0;
  Term term = 0;
  EntryKind kind = EntryKind::kCommand;
  Payload payload;

  size_t size() const { return bytes_of(payload).size(); }
};
bool operator==(const Entry& a, const Entry& b);

// What a state at an index must say of itself, besides its data.
struct SnapshotMeta {
  Index index = 0;
  Term term = 0;
  Index configuration_index = 0;
  Configuration configuration;  // the last one committed at `index`
  bool operator==(const SnapshotMeta&) const = default;
};

}  // namespace shoal::raft
