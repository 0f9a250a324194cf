// What a peer may send: one hub, its links with two peers that follow the input, and workers that answer
// at once. Never a crash, and the hub's invariants hold.
//
// An input is a row of steps: a byte that names a peer and an action, one for the action, and for the
// actions that take bytes as many as that says. The peers keep up the outer forms (identity, session,
// frame numbers) unless the input sends a raw frame, so that the bodies are what is tried.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/core/frame.h"
#include "cluster/core/hub.h"
#include "node/rules/forward_batch.h"
#include "proto/shoal/hub.pb.h"
#include "shoal/byte_view.h"
#include "tests/codec/bytes.h"

namespace {

using namespace shoal;

constexpr size_t kPeers = 2;
constexpr size_t kStepsMax = 32;
constexpr size_t kStepsPerCheck = 16;  // walking over everything has its price
constexpr int kWorkers = 2;

enum Action : uint8_t {
  kBody,      // a frame: kind, flags and lane are the first two bytes, its body the others
  kRawFrame,  // exactly the bytes
  kLinkUp,    // dialled by the peer
  kDialled,   // the oldest dial of the hub comes to the peer
  kLinkDown,
  kHello,
  kState,   // of a peer that means well
  kAnswer,  // to the State, with a lease
  kTick,
  kSubscribe,  // a worker's: the bytes are a filter
  kForward,    // a worker's: the bytes are the payload
  kRetain,     // likewise
  kClaim,      // a worker's: the bytes are the client id
  kCommand,
  kActions,
};

NodeId id_of(size_t peer) { return NodeId{peer == 0 ? 1u : 9u}; }  // below and above the hub's own
constexpr NodeId kHub{5};

std::string text_of_bytes(ByteView bytes) { return {bytes.begin(), bytes.end()}; }

struct Peer {
  LinkId link = 0;
  uint64_t epoch = 77;
  uint64_t hub_epoch = 0;
  uint64_t session = 0;
  int64_t hub_clock = 0;
  proto::ClusterId cluster;
  proto::Proposal proposal;
  std::array<uint64_t, kLaneCount> sent{};  // frame numbers of the session
  std::array<uint64_t, kLaneCount> received{};
};

class Bench {
 public:
  Bench()
      : hub_(config(), StoredState{.id = kHub, .incarnation = 1, .cluster = {}, .members = {}}, 1) {
    hub_.on_start(now_);
    carry_out();
  }

  void step(size_t peer, uint8_t action, uint8_t argument, ByteView bytes) {
    const auto worker = static_cast<WorkerIndex>(argument % kWorkers);
    switch (action) {
      case kBody: send_body(peers_[peer], peer, bytes); break;
      case kRawFrame: receive(peers_[peer], lane_of(argument), bytes); break;
      case kLinkUp: link_up(peers_[peer], kAcceptedLink + ++links_, false); break;
      case kDialled: dialled(peers_[peer]); break;
      case kLinkDown: link_down(peers_[peer]); break;
      case kHello: send_hello(peers_[peer], peer); break;
      case kState: send_state(peers_[peer], peer); break;
      case kAnswer: send_answer(peers_[peer], peer); break;
      case kTick: tick(argument); break;
      case kSubscribe: subscribe(worker, bytes, (argument & 2) != 0); break;
      case kForward: forward(worker, static_cast<NodeSlot>(1 + peer), bytes); break;
      case kRetain: retain(worker, bytes); break;
      case kClaim: claim(worker, bytes); break;
      case kCommand: command(argument); break;
      default: std::abort();
    }
    carry_out();
  }

  void check() {
    hub_.check_invariants();
    hub_.status(now_);
  }

 private:
  static HubConfig config() {
    HubConfig config;
    config.node_name = "n5";
    config.advertise = "10.0.0.5:7883";
    config.join = {"10.0.0.1:7883", "10.0.0.5:7883", "10.0.0.9:7883"};
    config.expect = 2;
    config.workers = kWorkers;
    config.limits.packet_size_max = 64 * 1024;
    config.limits.large_payload = 256;
    config.limits.bulk_piece_bytes = 128;
    config.limits.forward_window_bytes = 1024;
    config.limits.forward_queue_bytes = 2048;
    config.limits.retained_bytes_max = 2048;
    return config;
  }
  static Lane lane_of(uint8_t byte) { return static_cast<Lane>(byte % kLaneCount); }

  // ---- links

  void link_up(Peer& peer, LinkId link, bool dialled_by_hub) {
    if (peer.link != 0) return;
    peer.link = link;
    hub_.on_link_up(link, dialled_by_hub, "10.0.0.9:4444", now_);
  }

  void dialled(Peer& peer) {
    if (dials_.empty() || peer.link != 0) return;
    const LinkId link = dials_.front();
    dials_.erase(dials_.begin());
    link_up(peer, link, true);
  }

  void link_down(Peer& peer) {
    if (peer.link == 0) return;
    const LinkId link = std::exchange(peer.link, 0);
    hub_.on_link_down(link, "broken", now_);
  }

  // ---- what peers send

  void receive(Peer& peer, Lane lane, ByteView bytes) {
    if (peer.link == 0) return;
    // From a buffer of its own, so that a read past its end is seen.
    const Bytes own(bytes.begin(), bytes.end());
    hub_.on_frame(peer.link, lane, own, now_);
  }

  FrameHeader header_of(Peer& peer, size_t index, FrameKind kind, Lane lane) {
    FrameHeader header{.kind = kind, .sender = id_of(index), .incarnation = 1};
    if (kind == FrameKind::kHello || kind == FrameKind::kRefuse) return header;
    header.session = peer.session;
    if (kind >= FrameKind::kMembers) header.number = ++peer.sent[static_cast<size_t>(lane)];
    return header;
  }

  void send_body(Peer& peer, size_t index, ByteView bytes) {
    if (bytes.size() < 2) return;
    const auto kind = static_cast<FrameKind>(bytes[0]);
    const Lane lane = lane_of(bytes[1]);
    FrameHeader header = header_of(peer, index, kind, lane);
    header.flags = bytes[1] >> 4;
    receive(peer, lane, *make_frame(header, bytes.subspan(2)));
  }

  void send_message(Peer& peer, size_t index, FrameKind kind,
                    const google::protobuf::MessageLite& message) {
    receive(peer, Lane::kControl,
            *make_frame(header_of(peer, index, kind, Lane::kControl), message));
  }

  void send_hello(Peer& peer, size_t index) {
    proto::Hello hello;
    hello.set_protocol_min(kProtocolMin);
    hello.set_protocol_max(kProtocolMax);
    hello.set_name("n" + std::to_string(id_of(index).value));
    hello.set_address("10.0.0." + std::to_string(id_of(index).value) + ":7883");
    hello.set_process(3);
    hello.set_dial(1);
    send_message(peer, index, FrameKind::kHello, hello);
  }

  void send_state(Peer& peer, size_t index) {
    proto::State state;
    state.set_clock(now_.mono.ns);
    *state.mutable_cluster() = peer.cluster;
    state.mutable_life()->set_incarnation(1);
    state.set_epoch(peer.epoch);
    state.set_known_epoch(peer.hub_epoch);
    if (peer.session != 0) {
      for (const uint64_t number : peer.received) state.add_received(number);
    }
    state.set_live(1);
    state.set_expect(2);
    state.add_met("10.0.0.5:7883");
    if (peer.proposal.has_cluster()) {
      *state.mutable_proposal() = peer.proposal;
      *state.mutable_accepted() = peer.proposal.cluster();
    }
    send_message(peer, index, FrameKind::kState, state);
  }

  void send_answer(Peer& peer, size_t index) {
    proto::StateAnswer answer;
    answer.set_clock(peer.hub_clock);
    answer.set_granted(true);
    send_message(peer, index, FrameKind::kStateAnswer, answer);
  }

  // ---- time, workers, the operator

  void tick(uint8_t argument) {
    for (int i = 0; i <= argument % 4; ++i) {
      now_.mono = now_.mono + Hub::kTick;
      now_.wall_ms += Hub::kTick.to_millis();
      hub_.on_tick(now_);
      carry_out();
    }
  }

  void from_worker(WorkerIndex worker, ToHub mail) {
    hub_.on_worker(worker, std::move(mail), now_);
  }

  void subscribe(WorkerIndex worker, ByteView filter, bool is_withdrawn) {
    const RouteWeight weight{static_cast<uint16_t>(is_withdrawn ? 0 : 1), 0};
    from_worker(worker, RouteBatch{++route_batches_[worker], {{text_of_bytes(filter), weight}}});
  }

  MessageRef message_of(ByteView payload, Qos qos) {
    MessageView view;
    view.topic = "t";
    view.payload = payload;
    view.qos = qos;
    return Message::create(view);
  }

  void forward(WorkerIndex worker, NodeSlot node, ByteView payload) {
    ForwardBatchWriter writer(worker);
    const MessageRef message = message_of(payload, Qos::k0);
    if (payload.size() >= config().limits.large_payload) {
      writer.append_large(message, 1, {}, now_.mono);
    } else {
      writer.append(message->view(), 1, {}, now_.mono);
    }
    std::vector<ForwardBatchRef> batches;
    writer.finish(batches);
    for (ForwardBatchRef& batch : batches) from_worker(worker, ForwardOut{node, std::move(batch)});
  }

  void retain(WorkerIndex worker, ByteView payload) {
    from_worker(worker, RetainWrite{++retains_[worker], message_of(payload, Qos::k1)});
    from_worker(worker, RetainedQuery{1, "#", ""});
  }

  void claim(WorkerIndex worker, ByteView client_id) {
    const std::string user = client_id.size() % 2 == 0 ? "" : "user";
    from_worker(worker, ClaimRequest{{1, 1}, text_of_bytes(client_id), user});
  }

  void command(uint8_t argument) {
    switch (argument % 3) {
      case 0: return hub_.on_command(1, DrainCommand{argument / 3u}, now_);
      case 1: return hub_.on_command(1, LeaveCommand{}, now_);
      default: return hub_.on_command(1, RemoveCommand{argument < 128 ? "n1" : "n9"}, now_);
    }
  }

  // ---- what the hub asks for

  void carry_out() {
    while (!hub_.effects().empty()) {
      const HubEffects effects = std::move(hub_.effects());
      hub_.effects().clear();
      for (const auto& dial : effects.dials) dials_.push_back(dial.link);
      for (const auto& send : effects.sends) sent(send);
      for (const auto& close : effects.closes) closed(close.link);
      for (const auto& store : effects.stores) hub_.on_stored(store.token, now_);
      for (const auto& mail : effects.mails) {
        for (int w = 0; w < kWorkers; ++w) {
          if ((mail.workers >> w & 1) != 0) answer(static_cast<WorkerIndex>(w), mail.mail);
        }
      }
    }
  }

  void closed(LinkId link) {
    std::erase(dials_, link);
    for (Peer& peer : peers_) {
      if (peer.link == link) peer.link = 0;
    }
  }

  // What a peer keeps of the hub's frames, to go along with it.
  void sent(const HubEffects::Send& send) {
    const auto peer = std::find_if(peers_.begin(), peers_.end(),
                                   [&](const Peer& p) { return p.link == send.link; });
    const auto frame = parse_frame(*send.frame);
    if (!frame) std::abort();
    if (peer == peers_.end()) return;
    if (frame->header.session != peer->session) {
      peer->session = frame->header.session;
      peer->sent = {};
      peer->received = {};
    }
    uint64_t& received = peer->received[static_cast<size_t>(send.lane)];
    received = std::max(received, frame->header.number);
    proto::State state;
    if (frame->header.kind != FrameKind::kState) return;
    if (!state.ParseFromArray(frame->body.data(), static_cast<int>(frame->body.size())))
      std::abort();
    peer->hub_epoch = state.epoch();
    peer->hub_clock = state.clock();
    peer->cluster = state.cluster();
    peer->proposal = state.proposal();
  }

  void answer(WorkerIndex worker, const ToWorker& mail) {
    if (const auto* update = std::get_if<RouteUpdate>(&mail)) {
      from_worker(worker, RoutesApplied{update->number});
    } else if (const auto* evict = std::get_if<Evict>(&mail)) {
      if (evict->user && !evict->user->empty()) {
        from_worker(worker, EvictRefused{evict->client_id, evict->stamp, *evict->user});
      } else {
        from_worker(worker, EvictDone{evict->client_id, evict->stamp});
      }
    } else if (const auto* forward = std::get_if<ForwardIn>(&mail)) {
      read(*forward->batch);
      from_worker(worker, ForwardConsumed{forward->node, forward->batch->bytes()});
    } else if (std::holds_alternative<AllClose>(mail)) {
      from_worker(worker, AllClosed{});
    }
  }

  // A worker relies on what the hub let through.
  void read(const ForwardBatch& batch) {
    ForwardBatchReader reader(batch, now_.mono);
    for (ForwardRecord record; reader.next(record);) {
    }
    if (!reader.ok()) std::abort();
  }

  Now now_{Instant{1'000'000'000'000}, 1'700'000'000'000};
  Hub hub_;
  std::array<Peer, kPeers> peers_;
  uint64_t links_ = 0;
  std::vector<LinkId> dials_;
  std::array<uint64_t, kWorkers> route_batches_{};
  std::array<uint64_t, kWorkers> retains_{};
};

bool takes_bytes(uint8_t action) {
  return action <= kRawFrame || (action >= kSubscribe && action <= kClaim);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bench bench;
  ByteView left(data, size);
  for (size_t steps = 0; left.size() >= 2 && steps < kStepsMax; ++steps) {
    const size_t peer = left[0] % kPeers;
    const uint8_t action = left[0] / kPeers % kActions;
    const uint8_t argument = left[1];
    left = left.subspan(2);
    const ByteView bytes =
        left.first(takes_bytes(action) ? std::min<size_t>(argument, left.size()) : 0);
    left = left.subspan(bytes.size());
    bench.step(peer, action, argument, bytes);
    if (steps % kStepsPerCheck == 0) bench.check();
  }
  bench.check();
  return 0;
}
