// Bytes as other servers might send them, many messages a run: what is decoded encodes to itself, and a
// server of a group takes all of it without stopping.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "cluster/raft/raft_group.h"
#include "cluster/raft/wire.h"

namespace {

using namespace shoal;
using namespace shoal::raft;

void check(bool condition) {
  if (!condition) std::abort();
}

// A disk that is never late.
class Store : public LogReader {
 public:
  void start(const Recovered& recovered) { log_ = recovered.log; }
  void write(const Effects::Persist& persist) {
    if (persist.first != 0) {
      log_.resize(persist.first - first_);
      log_.insert(log_.end(), persist.entries.begin(), persist.entries.end());
    }
    if (persist.install) {
      first_ = persist.install->index + 1;
      log_.clear();
    }
  }
  void read(GroupId, Index first, Index last, size_t, std::vector<Entry>& out) override {
    for (Index index = first; index <= last; ++index) out.push_back(log_[index - first_]);
  }

 private:
  Index first_ = 1;
  std::vector<Entry> log_;
};

class Follower {
 public:
  Follower() : group_(options(), store_) {
    const Recovered founded =
        RaftGroup::founded({{{{1}, Role::kVoter}, {{2}, Role::kVoter}, {{3}, Role::kVoter}}});
    store_.start(founded);
    group_.start(now_, founded, effects_);
    carry_out();
  }

  void receive(Message message) {
    message.group = options().group;
    message.to = options().self;
    if (message.from != message.to) step(Received{std::move(message)});
  }
  void tick() {
    now_ = group_.deadline();
    step(Tick{});
  }

 private:
  static GroupOptions options() {
    GroupOptions options;
    options.self = {1};
    return options;
  }
  void step(Event event) {
    group_.step(now_, std::move(event), effects_);
    carry_out();
  }
  void carry_out() {
    uint64_t written = 0;
    for (const Effects::Persist& persist : effects_.persists) {
      store_.write(persist);
      written = persist.number;
    }
    Index applied = 0;
    for (const Effects::Apply& apply : effects_.applies) applied = apply.entries.back().index;
    effects_.clear();
    if (written != 0) step(Persisted{written});
    if (applied != 0) step(Applied{applied});
  }

  Store store_;
  Instant now_{};
  RaftGroup group_;
  Effects effects_;
};

void check_round_trip(const Message& message) {
  std::vector<uint8_t> bytes;
  encode(message, bytes);
  check(decode(bytes) == message);
}

}  // namespace

// Each message with its size before it; a size of 0 is a deadline that is over.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Follower server;
  std::span<const uint8_t> in(data, size);
  while (!in.empty()) {
    const size_t length = std::min<size_t>(in[0], in.size() - 1);
    const std::optional<Message> message = decode(in.subspan(1, length));
    if (message) {
      check_round_trip(*message);
      server.receive(*message);
    } else if (length == 0) {
      server.tick();
    }
    in = in.subspan(1 + length);
  }
  return 0;
}
