// Joins the parts of a hub: takes each event to the part whose it is, and after those that may have
// changed how members stand, settles what follows from it.
//
// hub_core.cc      the events, workers' mail, frames
// hub_links.cc     links and who is at their other end
// hub_sessions.cc  States, the beginning and end of sessions, coming into sync
// hub_members.cc   founding, joining, giving up, closing all, leaving, storing
// hub_levels.cc    the version of the protocol that the cluster is at
// hub_durable.cc   the store (where replicas are: placing.h)
// hub_commands.cc  drain, leave, remove
// hub_backup.cc    backups that are read from here
// hub_stopping.cc  giving leaderships away, saying goodbye
// hub_report.cc    status
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cluster/core/backing_up.h"
#include "cluster/core/claims.h"
#include "cluster/core/context.h"
#include "cluster/core/forwarding.h"
#include "cluster/core/founding.h"
#include "cluster/core/hub_store.h"
#include "cluster/core/leadership.h"
#include "cluster/core/leases.h"
#include "cluster/core/links.h"
#include "cluster/core/members.h"
#include "cluster/core/pair.h"
#include "cluster/core/placing.h"
#include "cluster/core/retained.h"
#include "cluster/core/routes.h"

namespace shoal {

class HubCore {
 public:
  HubCore(HubConfig config, StoredState stored, uint64_t seed);

  void on_start(Now now);
  void on_tick(Now now);
  void on_worker(WorkerIndex from, ToHub&& mail, Now now);
  void on_link_up(LinkId id, bool dialled_by_us, std::string address, Now now);
  void on_link_down(LinkId id, const std::string& why, Now now);
  void on_frame(LinkId id, Lane lane, std::span<const uint8_t> bytes, Now now);
  void on_stored(uint64_t token, Now now);
  void on_store_open(std::vector<StoredReplica> replicas, StoredRetained retained,
                     raft::LogReader& log, Now now);
  void on_retained_written(uint64_t number, Now now);
  void on_host(uint32_t shard, replica::HostEffects&& effects, Now now);
  void on_persisted(raft::GroupId group, uint64_t number, Now now);
  void on_flushed(uint32_t shard, uint64_t index, Now now);
  replica::StoreEffects* end_turn(Now now);
  void on_command(uint64_t token, const HubCommand& command, Now now);
  void on_figures(const OwnFigures& figures) { figures_ = figures; }

  HubEffects& effects() { return context_.effects; }
  HubStatus status(Now now);
  std::optional<BackupStatus> backup() const;
  void check_invariants() const;
  const Routes& routes() const { return routes_; }
  const Retained& retained() const { return retained_; }
  Retained& retained() { return retained_; }

 private:
  // What a peer's acknowledgement of a frame is for.
  static constexpr uint64_t kLeaveToken = ~uint64_t{0};
  static constexpr size_t kRefusalMax = 200;  // of a peer's reason, in ours
  static constexpr Duration kRefusalHolds = Duration::seconds(10);
  static constexpr const char* kGoneOn = "the others went on without this node";
  static constexpr const char* kHasLeft =  // after "node NAME" or "this node"
      " has left the cluster: to join again it needs an empty --data-dir";
  using Said = std::map<NodeId, const proto::State*>;

  // ---- hub_core.cc
  void on_mail(WorkerIndex from, RouteBatch&& mail);
  void on_mail(WorkerIndex from, RoutesApplied&& mail);
  void on_mail(WorkerIndex from, ClaimRequest&& mail);
  void on_mail(WorkerIndex from, ClaimWithdraw&& mail);
  void on_mail(WorkerIndex from, ClaimRelease&& mail);
  void on_mail(WorkerIndex from, ClaimMove&& mail);
  void on_mail(WorkerIndex from, EvictDone&& mail);
  void on_mail(WorkerIndex from, EvictRefused&& mail);
  void on_mail(WorkerIndex from, ForwardOut&& mail);
  void on_mail(WorkerIndex from, AcceptOut&& mail);
  void on_mail(WorkerIndex from, ForwardConsumed&& mail);
  void on_mail(WorkerIndex from, RetainWrite&& mail);
  void on_mail(WorkerIndex from, RetainedQuery&& mail);
  void on_mail(WorkerIndex from, AllClosed&& mail);
  void on_mail(WorkerIndex from, ToStore&& mail);
  bool on_unnumbered(Link& link, Pair& pair, const ParsedFrame& frame);
  bool on_numbered(Pair& pair, Lane lane, const ParsedFrame& frame);
  bool on_data(Pair& pair, Lane lane, const ParsedFrame& frame);
  bool on_control(Pair& pair, const ParsedFrame& frame);
  bool on_store_frame(const Pair& pair, const ParsedFrame& frame);
  void acknowledge(Pair& pair, size_t step);
  void on_tokens(const Pair& pair, const std::vector<uint64_t>& tokens);
  void pump(Pair& pair);
  void heartbeat();

  // ---- hub_links.cc
  void send_hello(const Link& link);
  void on_hello(Link& link, const ParsedFrame& frame);
  std::string check_hello(const FrameHeader& header, const proto::Hello& hello) const;
  // `level`: of the cluster, where the peer does not speak it.
  void refuse(const Link& link, const std::string& why, uint32_t level = 0);
  void turn_away(const Link& link, const std::string& why, uint32_t level = 0);
  void drop(const Link& link, const std::string& why);
  void warn_of_refusal(const std::string& what, const std::string& why);
  void choose_link(Link& link, Pair& pair, bool is_state);
  void lose_link(const Link& link);
  bool has_good_link(const Pair& pair) const;
  void dial();
  Pair& pair_of(NodeId id);
  Pair* find_pair(NodeId id);
  const Pair* find_pair(NodeId id) const;
  Pair* pair_at(NodeSlot slot);

  // ---- hub_sessions.cc
  void on_life(Pair& pair, const Life& life);
  bool on_state(Link& link, Pair& pair, const proto::State& state);
  bool follow_session(Pair& pair, LinkId link, const proto::State& state);
  bool may_open(const Pair& pair) const;
  void open_session(Pair& pair, uint64_t peer_epoch);
  void end_session(Pair& pair, bool renew);
  void send_state(Pair& pair);
  void send_states();
  Said said() const;
  std::vector<Pair*> open_pairs();
  std::vector<NodeId> waited_for() const;
  std::set<NodeId> needed() const;
  Pair* reachable(NodeId id);
  void check_in_sync(Pair& pair);
  void settle();
  void on_routes_applied();
  void publish_ack_until();

  // ---- hub_members.cc
  void found_step();
  void adopt(const ClusterId& cluster, StoreFounding store, std::vector<StoredMember> members,
             uint32_t level);
  void admit(const Pair& pair);
  bool supersede(const Pair& pair);
  void warn_of_namesakes(const StoredMember& added);
  // `then`: when it is stored.
  void on_members_changed(
      uint64_t token = 0, std::function<void()> then = [] {});
  void tell_members(uint64_t token = 0);
  void give_up_silent();
  void close_all(const std::string& why);
  void on_all_closed();
  StoredState stored_state() const;
  void store(StoredState state, std::function<void()> then);
  // What peers may hear of the members.
  proto::Members members_message() const;
  StoredMember own_entry() const;
  static StoredMember entry_of(const Pair& pair);
  bool is_in_cluster() const;
  bool is_self_member() const { return members_.is_member(context_.self); }
  bool has_left() const;
  bool is_given_up_self() const;

  // ---- hub_levels.cc
  void raise_level();
  void take_level(uint32_t level);
  std::string check_speaks(const proto::Hello& hello) const;
  void refuse_outdated();
  bool is_outdated(const Link& link, uint32_t level);
  void note_outdated(const Link& link, const std::string& why);
  void on_refuse(const Link& link, const proto::Refuse& refused);

  // ---- hub_durable.cc
  void open_store();
  void tell_store_of_the_left();
  bool knows_shards(Instant until);
  std::string why_store_not_ready() const;
  ShardStatus status_of(uint32_t shard) const;

  // ---- hub_commands.cc
  void answer(uint64_t token, bool ok, std::string text);
  void leave(uint64_t token);
  void move_away(uint64_t token, bool is_withdrawn);
  void refuse_to_leave(uint64_t token, const std::string& why);
  void say_leaving();
  void check_left();
  void remove(uint64_t token, const std::string& node);

  // ---- hub_backup.cc
  bool on_backup_command(uint64_t token, const HubCommand& command);
  std::string why_no_backup() const;
  bool all_know_backups() const;

  // ---- hub_stopping.cc
  bool gives_leaderships() const { return is_draining_ || is_handing_over_; }
  bool has_stepped_down() const;
  LeadershipView leadership_view();
  void give_leaderships();
  void hand_over(std::function<void()> then);
  void check_handed_over();
  void say_goodbye(uint64_t token);
  void check_goodbye();
  void on_gone(Pair& pair);

  // ---- hub_report.cc
  std::string why_not_ready() const;
  bool is_refused() const;
  void log_readiness();
  MemberStatus status_of(const StoredMember& member) const;

  Context context_;
  ClusterId cluster_;
  Members members_;
  Links links_;
  std::map<NodeId, std::unique_ptr<Pair>> pairs_;
  std::vector<Pair*> slots_{nullptr};  // by NodeSlot; kSelf is none
  Founding founding_;
  Leases leases_;
  Routes routes_;
  Forwarding forwarding_;
  Claims claims_;
  Retained retained_;
  StoreFounding store_founding_;   // as the cluster's founder decided; empty: not known yet
  bool is_store_founded_ = false;  // this node's part of it is on its disks
  bool is_store_asked_ = false;
  std::unique_ptr<HubStore> store_;        // null: this hub has none (HubConfig::shards)
  std::unique_ptr<BackingUp> backing_up_;  // null as the store
  Placing placing_;
  bool knows_shards_ = false;  // since it may acknowledge

  std::map<uint64_t, std::function<void()>> stores_;  // what waits for a write
  uint64_t last_store_ = 0;
  bool is_adopting_ = false;
  std::set<NodeId> admitting_;
  uint64_t closing_ = 0;                                      // workers that are still closing all
  std::vector<std::pair<WorkerIndex, ToStore>> asked_early_;  // by the others, meanwhile
  bool is_leaving_ = false;
  std::optional<uint64_t> leave_token_;  // of the command
  std::set<NodeId> leave_waits_;         // peers that do not know it yet
  bool has_stored_leaving_ = false;
  Instant leave_deadline_{};
  bool is_draining_ = false;
  bool is_handing_over_ = false;                    // for good: what it led is led by others
  std::vector<std::function<void()>> handed_over_;  // what waits for that
  Instant hand_over_deadline_{};
  Instant last_balancing_{};
  Instant last_promise_{};                 // when it last held all leases
  std::optional<uint64_t> goodbye_token_;  // of the command
  bool is_gone_ = false;
  Instant goodbye_at_{};
  Instant published_until_{};
  bool is_published_ = false;
  std::vector<uint64_t> told_silent_;  // as the last States said
  Instant last_heartbeat_{};
  Instant last_tick_{};
  std::map<NodeId, size_t> received_bytes_;  // since the last acknowledgement
  std::map<NodeId, Duration> rtt_;
  std::string refused_;  // why another node would not have this one
  Instant refused_at_{};
  std::map<std::string, Instant> refusals_told_;  // to the log
  uint32_t storing_level_ = 0;
  std::string outdated_;  // why this node cannot be with the others any more
  OwnFigures figures_;
  std::string told_why_;  // not ready, as the log says
  Instant told_why_at_{};
};

}  // namespace shoal
