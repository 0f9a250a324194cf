// Strong types that every part shares. No part of this header owns a resource.
#pragma once

#include <compare>
#include <cstdint>

namespace shoal {

enum class ProtocolVersion : uint8_t { kMqtt31 = 3, kMqtt311 = 4, kMqtt5 = 5 };

enum class Qos : uint8_t { k0 = 0, k1 = 1, k2 = 2 };

// A span of time in nanoseconds.
struct Duration {
  int64_t ns = 0;

  static constexpr Duration millis(int64_t n) { return {n * 1'000'000}; }
  static constexpr Duration seconds(int64_t n) { return {n * 1'000'000'000}; }
  constexpr int64_t to_millis() const { return ns / 1'000'000; }
  constexpr int64_t to_seconds() const { return ns / 1'000'000'000; }
  auto operator<=>(const Duration&) const = default;
};

// A point on this machine's CLOCK_BOOTTIME: it goes on while the machine is suspended, so a lease
// checked against it cannot outlive a suspension unnoticed. Never compared across machines.
struct Instant {
  int64_t ns = 0;

  static constexpr Instant never() { return {INT64_MAX}; }
  auto operator<=>(const Instant&) const = default;
};

constexpr Instant operator+(Instant a, Duration d) { return {a.ns + d.ns}; }
constexpr Instant operator-(Instant a, Duration d) { return {a.ns - d.ns}; }
constexpr Duration operator-(Instant a, Instant b) { return {a.ns - b.ns}; }
constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
constexpr Duration operator*(Duration d, int64_t n) { return {d.ns * n}; }
constexpr Duration operator/(Duration d, int64_t n) { return {d.ns / n}; }

// What a state machine is told of the time with each event. `wall_ms` (Unix epoch) only orders
// claims and retained messages between nodes; nothing that must be safe depends on it.
struct Now {
  Instant mono;
  int64_t wall_ms = 0;
};

// A node's identity for life: drawn at random when its data directory is made, never an address.
struct NodeId {
  uint64_t value = 0;
  explicit operator bool() const { return value != 0; }
  auto operator<=>(const NodeId&) const = default;
};

// A node's position in this process's table of members; 0 is this node itself. Slots are given out
// by the hub of one process and mean nothing to another.
using NodeSlot = uint16_t;
constexpr NodeSlot kSelf = 0;
// Of routes that lead to shards, wherever these are: Place{kShards, shard}.
constexpr NodeSlot kShards = UINT16_MAX;

using WorkerIndex = uint8_t;
constexpr int kWorkersMax = 64;  // a set of workers is one 64-bit mask
constexpr int kShardsMax = 64;   // likewise

// Where messages can be sent: a worker of some node. Whether it is the next core or the next
// machine is known only to the code that carries the effect.
struct Place {
  NodeSlot node = kSelf;
  WorkerIndex worker = 0;
  auto operator<=>(const Place&) const = default;
};

// A connection of one worker. `generation` tells a reused slot from its earlier life.
struct ConnId {
  uint32_t slot = UINT32_MAX;
  uint32_t generation = 0;
  explicit operator bool() const { return slot != UINT32_MAX; }
  auto operator<=>(const ConnId&) const = default;
};

// Orders claims of one client id, and retained messages of one topic, between nodes: the highest
// (counter, node) wins. Counters are max(wall clock in ms << 16, last seen + 1), so that after a
// partition the later claim wins although neither side saw the other's counter.
struct Stamp {
  uint64_t counter = 0;
  NodeId node;
  auto operator<=>(const Stamp&) const = default;
};

}  // namespace shoal
