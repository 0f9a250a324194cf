// Until when this node may acknowledge, and which members the cluster goes on without.
//
// A lease from Y to X is Y's word that none of its subscriptions is acknowledged that X does not
// know, until a time on X's clock. X acknowledges while it holds one from every member that is not
// *out*. A member is silent when it is not in sync, or nothing comes from it or goes to it, and the
// lease that was granted to it has run out. X takes silent members out only when all members that
// remain confirm it with their leases, and these with X are a majority: so whoever cannot
// acknowledge afterwards gives up nobody, and a cut that separates all leaves all as they are. When
// it heals the first that meet give the others time to come back, too.
//
// Of two that lost each other while a third sees both, the third confirms only one, the one with
// more live peers or else the lower id, and not the other before all leases with that confirmation
// have run out. The one that is not confirmed holds no lease of the first and so acknowledges nothing: it
// has stepped down. Two majorities share a node, so that of two nodes only one can be without the
// other.
#pragma once

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "cluster/core/context.h"
#include "cluster/core/members.h"
#include "cluster/core/pair.h"

namespace shoal {

class Leases {
 public:
  Leases(Context& context, const Members& members) : context_(context), members_(members) {}

  void on_start() { started_ = context_.now.mono; }
  // There may be new members: as if each had a lease from now.
  void on_members();

  // ---- what the hub says of a peer
  void on_in_sync(const Pair& pair);
  void on_out_of_sync(NodeId id);
  // It acknowledges nothing any more, whatever it was granted.
  void on_gone(NodeId id);
  bool is_in_sync(NodeId id) const;
  // Out: given up, and not in sync again since.
  bool is_out(NodeId id) const;
  // A member that is waited for.
  bool is_required(NodeId id) const { return members_.is_member(id) && !is_out(id); }
  bool is_silent(NodeId id) const;
  Instant lease_from(NodeId id) const;
  Instant in_sync_since(NodeId id) const;
  // When we said the last of what it has answered.
  Instant last_answer(NodeId id) const;
  // So long it has not given us up, whatever it confirms.
  Instant kept_by(NodeId id) const;

  // ---- the exchange
  void fill(proto::State& state) const;
  // `has_shards`: it has the routes of the shards that this node leads.
  proto::StateAnswer answer(const Pair& from, const proto::State& state,
                            const std::map<NodeId, const proto::State*>& said, bool has_shards);
  void on_answer(const Pair& from, const proto::StateAnswer& answer);

  // ---- decisions
  // Members to give up now, if that is allowed: they get no lease any more.
  std::vector<NodeId> to_give_up();
  // The decision about these is durable.
  void on_stored(const std::vector<NodeId>& given_up);
  // Those that are out from now on: stored, and still confirmed. The others are tried again.
  std::vector<NodeId> take_out();
  // Those that were out and are not any more: without the consent of a majority for a while, others
  // may have gone on with them. They are given up anew, in the life that they have now.
  std::vector<NodeId> take_back();
  // This node acknowledges nothing from now on.
  void stop() { stopped_ = true; }
  // Zero: nothing.
  Instant ack_until() const;

 private:
  struct Standing {
    bool in_sync = false;
    bool out = false;
    bool giving_up = false;
    bool give_up_stored = false;
    Instant in_sync_since{};
    Instant heard_since{};  // both ways, without a gap
    Instant last_heard{};
    Instant last_answer{};
    Instant granted_until{};  // that it may acknowledge, on our clock
    Instant lease_until{};    // that we may, by grants that confirm all that are out
    Instant confirmed_until{};
    std::vector<NodeId> confirmed;  // by the last grant, which ends at confirmed_until
  };
  Standing& standing_of(NodeId id);
  const Standing* find(NodeId id) const;
  Duration granted_for() const {
    return context_.config.limits.lease + context_.config.limits.lease_margin;
  }
  bool is_heard_both_ways(const Standing& standing) const;
  void note_heard(Standing& standing, Instant Standing::*what, Instant when);
  bool confirms(NodeId wisher, const proto::State& state, NodeId silent,
                const std::map<NodeId, const proto::State*>& said);
  bool remaining_confirm(const std::vector<NodeId>& silent) const;
  std::vector<NodeId> silent_members() const;
  void keep(Standing& standing) const;

  Context& context_;
  const Members& members_;
  Instant started_{};
  bool stopped_ = false;
  std::map<NodeId, Standing> standings_;
  // (who goes on, without whom) -> until when that may be relied on.
  std::map<std::pair<NodeId, NodeId>, Instant> verdicts_;
};

}  // namespace shoal
