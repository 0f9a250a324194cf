// The Raft logs of all groups of a node: entries, terms and votes. What was written is durable when
// write() returns, for many groups with one sync.
//
// At a start only an incomplete last record is tolerated: that is a write that was under way, of which
// nobody was told. Whatever else does not match its checksum, or is missing between others, refuses to
// open: a replica that forgot an entry, or its vote, may not go on as the same.
//
// An error stays: from then on every call answers with the first one, and nothing more is written.
//
// One thread writes; others may read() at the same time, what is durable and neither replaced nor cut
// meanwhile.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace shoal::storage {

// A shard's Raft group; of another incarnation it is another one.
struct LogGroup {
  uint32_t shard = 0;
  uint64_t incarnation = 0;
  auto operator<=>(const LogGroup&) const = default;
};

struct LogEntry {
  uint64_t index = 0;
  uint64_t term = 0;
  uint8_t kind = 0;  // the writer's own
  std::string payload;
  bool operator==(const LogEntry&) const = default;
};

// What a group keeps besides its entries.
struct LogState {
  uint64_t term = 0;
  uint64_t vote = 0;
  std::string snapshot;  // the writer's own: what the state at the log's beginning says of itself
  bool operator==(const LogState&) const = default;
};

struct LogWrite {
  LogGroup group;
  std::optional<LogState> state;
  // `entries` take the place of all from `first` on; 0: the entries stay. Without entries the log ends
  // before `first`.
  uint64_t first = 0;
  std::span<const LogEntry> entries;
  // All entries go, before those above come: a snapshot took their place, and the log is to begin at
  // `first`.
  bool clear = false;
  // Entries before this one are not needed any more.
  uint64_t cut = 0;
};

struct RecoveredLog {
  LogGroup group;
  LogState state;
  std::vector<LogEntry> entries;  // without a gap
};

enum class Durability : uint8_t {
  kFsync,
  kOs,  // survives the process, not the machine
};

class LogStore {
 public:
  // Makes `directory` if it is not there; its parent is.
  static absl::StatusOr<std::unique_ptr<LogStore>> open(const std::string& directory,
                                                        Durability durability);
  ~LogStore();
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  // All groups that were written and not removed, ascending. Once, before the first write. Payloads of
  // kinds that are not wanted are left out: all of a log need not fit into memory.
  using WantsPayload = std::function<bool(uint8_t kind)>;
  absl::StatusOr<std::vector<RecoveredLog>> recover(const WantsPayload& wants_payload = nullptr);

  // All of it or nothing.
  absl::Status write(std::span<const LogWrite> writes);
  // Appends the entries first to last, or fewer once they have `bytes_max` bytes, but at least one.
  absl::Status read(LogGroup group, uint64_t first, uint64_t last, size_t bytes_max,
                    std::vector<LogEntry>& out);
  // All that there is of a group.
  absl::Status remove(LogGroup group);
  // What was written with kOs before is durable now. Any thread.
  absl::Status sync();

  // The first error.
  absl::Status status() const;

 private:
  struct Database;
  explicit LogStore(std::unique_ptr<Database> database);
  std::unique_ptr<Database> database_;
};

}  // namespace shoal::storage
