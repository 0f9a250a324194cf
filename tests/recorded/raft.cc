// What the servers of a Raft group say to each other, in its frame, and what the log keeps of a group.
#include <absl/strings/str_format.h>
#include "cluster/core/frame.h"
#include "cluster/raft/wire.h"
#include "shoal/byte_view.h"
#include "tests/recorded/recording.h"

namespace shoal::recorded {
namespace {

raft::Payload payload_of(std::string_view text) {
  return std::make_shared<const std::vector<uint8_t>>(text.begin(), text.end());
}

raft::Configuration four_servers() {
  return {{{{1}, raft::Role::kVoter},
           {{2}, raft::Role::kVoter},
           {{7}, raft::Role::kLearner},
           {{UINT64_MAX}, raft::Role::kVoter}}};
}

raft::SnapshotMeta sample_snapshot() { return {40, 7, 12, four_servers()}; }

std::string says_of(const raft::Configuration& configuration) {
  std::string says = "servers";
  for (const raft::Server& server : configuration.servers) {
    says += absl::StrFormat(" %d:%d", server.id.value, static_cast<int>(server.role));
  }
  return says + "\n";
}

std::string says_of(const raft::SnapshotMeta& meta) {
  return absl::StrFormat("index %d term %d configuration %d ", meta.index, meta.term,
                         meta.configuration_index) +
         says_of(meta.configuration);
}

struct BodyText {
  std::string operator()(const raft::RequestVote& body) const {
    return absl::StrFormat("request vote: last %d term %d disrupts %d pre %d\n", body.last_index,
                           body.last_term, body.disrupt_leader, body.pre_vote);
  }
  std::string operator()(const raft::VoteResult& body) const {
    return absl::StrFormat("vote result: granted %d pre %d\n", body.granted, body.pre_vote);
  }
  std::string operator()(const raft::AppendEntries& body) const {
    std::string says = absl::StrFormat("append entries: behind %d term %d commit %d\n",
                                       body.prev_index, body.prev_term, body.commit);
    for (const raft::Entry& entry : body.entries) {
      says += absl::StrFormat("  %d term %d kind %d %s\n", entry.index, entry.term,
                              static_cast<int>(entry.kind),
                              hex_of(text_of(raft::bytes_of(entry.payload))));
    }
    return says;
  }
  std::string operator()(const raft::AppendResult& body) const {
    return absl::StrFormat("append result: rejected %d last %d\n", body.rejected, body.last_index);
  }
  std::string operator()(const raft::InstallSnapshot& body) const {
    return "install snapshot: " + says_of(body.meta);
  }
  std::string operator()(const raft::TimeoutNow& body) const {
    return absl::StrFormat("timeout now: last %d term %d\n", body.last_index, body.last_term);
  }
};

std::string bytes_of_message(const FrameHeader& header, const raft::Message& message) {
  std::vector<uint8_t> bytes;
  raft::encode(message, bytes);
  return std::string(text_of(*make_frame(header, bytes)));
}

Kind raft_message(const std::string& name, std::vector<raft::Body> bodies) {
  Kind kind{.name = "raft-" + name, .make = {}, .read = {}};
  kind.make = [bodies]() -> Frames {
    Frames frames;
    for (const raft::Body& body : bodies) {
      frames.push_back(bytes_of_message({.kind = FrameKind::kRaft,
                                         .sender = NodeId{0x1122334455667788},
                                         .incarnation = 7,
                                         .session = 0x99aabbccddeeff01},
                                        {{5, 3}, {1}, {UINT64_MAX}, 8, body}));
    }
    return frames;
  };
  kind.read = [](const Frames& frames) -> std::optional<Reading> {
    Reading reading;
    for (const std::string& bytes : frames) {
      const std::optional<ParsedFrame> frame = parse_frame(bytes_of(bytes));
      if (!frame) return std::nullopt;
      const std::optional<raft::Message> message = raft::decode(frame->body);
      if (!message) return std::nullopt;
      reading.says += absl::StrFormat("frame %d shard %d incarnation %d from %d to %d term %d ",
                                      static_cast<int>(frame->header.kind), message->group.shard,
                                      message->group.incarnation, message->from.value,
                                      message->to.value, message->term) +
                      std::visit(BodyText(), message->body);
      reading.again.push_back(bytes_of_message(frame->header, *message));
    }
    return reading;
  };
  return kind;
}

}  // namespace

void add_raft(std::vector<Kind>& kinds) {
  static_assert(std::variant_size_v<raft::Body> == 6, "a new kind of message needs a line here");
  const std::vector<raft::Entry> entries = {
      {11, 6, raft::EntryKind::kCommand, payload_of("hello")},
      {12, 6, raft::EntryKind::kCommand, nullptr},
      {13, 8, raft::EntryKind::kBarrier, nullptr},
      {14, 8, raft::EntryKind::kChange, raft::encode(four_servers())}};
  kinds.push_back(raft_message("request-vote", {raft::RequestVote{12, 7, true, false},
                                                raft::RequestVote{300, 7, false, true}}));
  kinds.push_back(
      raft_message("vote-result", {raft::VoteResult{true, false}, raft::VoteResult{false, true}}));
  kinds.push_back(raft_message("append-entries", {raft::AppendEntries{10, 5, 9, {}},
                                                  raft::AppendEntries{10, 5, 900, entries}}));
  kinds.push_back(
      raft_message("append-result", {raft::AppendResult{0, 77}, raft::AppendResult{12, 11}}));
  kinds.push_back(raft_message("timeout-now", {raft::TimeoutNow{12, 7}}));
  kinds.push_back(raft_message("install-snapshot", {raft::InstallSnapshot{sample_snapshot()}}));
  kinds.push_back(
      {.name = "raft-disk-snapshot",
       .make = []() -> Frames { return {std::string(text_of(raft::encode(sample_snapshot())))}; },
       .read = [](const Frames& frames) -> std::optional<Reading> {
         const auto meta = raft::decode_snapshot(bytes_of(frames[0]));
         if (!meta) return std::nullopt;
         return Reading{says_of(*meta), {std::string(text_of(raft::encode(*meta)))}};
       }});
}

}  // namespace shoal::recorded
