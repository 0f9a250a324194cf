#include "cluster/replica/to_server.h"

#include <utility>

#include "cluster/replica/message_spec.h"
#include "cluster/replica/shard_server.h"
#include "node/rules/overloaded.h"

namespace shoal::replica {

void give(ShardServer& server, ToServer&& mail, Now now) {
  std::visit(Overloaded{
                 [&](Committed& m) { server.on_committed(m.entries); },
                 [&](Role& m) { server.on_role(m.serving, m.term, now.wall_ms); },
                 [&](NodeRequest& m) { server.on_request(m.from, m.request, now.wall_ms); },
                 [&](NodeHere& m) { server.on_node(m.node, m.incarnation); },
                 [&](NodeGone& m) { server.on_node_gone(m.node, m.incarnation); },
                 [&](Targets& m) { server.on_targets(m.number, m.shards); },
                 [&](Published& m) { server.on_published(m.number); },
                 [&](Picks& m) { server.on_picks(m.number, std::move(m.picks)); },
                 [&](OutboxAnswered& m) { server.on_outbox_answer(m.from_shard, m.answer); },
                 [&](LeaderChanged& m) { server.on_shard_leader(m.shard); },
                 [&](OpsFromShard& m) { server.on_ops(m.ops, m.count, now.wall_ms); },
                 [&](MemberWants& m) { server.on_want(m.group, m.client_id, m.room); },
                 [&](RetainedFound& m) {
                   std::vector<shard::MessageSpec> specs;
                   for (const MessageRef& each : m.messages) specs.push_back(spec_of(*each, now));
                   server.on_retained(m.query, specs, m.after, m.done);
                 },
                 [](auto&) {},
             },
             mail);
}

}  // namespace shoal::replica
