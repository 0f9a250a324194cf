// Where replicas are and where they should be, as `ctl rebalance` and `ctl leave` ask for it.
#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "node/runtime/clock.h"
#include "node/serve/admin_api.h"
#include "node/serve/json_response.h"
#include "node/serve/member_name.h"

namespace shoal {
namespace {

namespace json = boost::json;

size_t lacking(const std::vector<NodeId>& in, const std::vector<NodeId>& of) {
  return static_cast<size_t>(std::count_if(of.begin(), of.end(), [&in](NodeId id) {
    return std::find(in.begin(), in.end(), id) == in.end();
  }));
}

bool is_known(const PlacementStatus& shard) { return shard.leader && !shard.wanted.empty(); }

// A move is one replica more and one less.
size_t moves_of(const PlacementStatus& shard) {
  return std::max({lacking(shard.voters, shard.wanted), lacking(shard.wanted, shard.voters),
                   shard.learners.size()});
}

std::string names_of(const HubStatus& status, const std::vector<NodeId>& nodes) {
  std::string names;
  for (const NodeId id : nodes) names += (names.empty() ? "" : ",") + member_name(status, id);
  return names;
}

json::object json_of(const PlacementStatus& shard, const HubStatus& status) {
  json::object out{{"shard", shard.shard},
                   {"leader", member_name(status, shard.leader)},
                   {"replicas", names_of(status, shard.voters)},
                   {"wanted", names_of(status, shard.wanted)},
                   {"copying", names_of(status, shard.learners)}};
  out["moves"] = is_known(shard) ? json::value(moves_of(shard)) : json::value();
  out["lag"] = shard.learners.empty() ? json::value() : json::value(shard.lag);
  return out;
}

json::object json_of_placements(const HubStatus& status) {
  json::array shards;
  size_t moves = 0;
  bool is_level = !status.placements.empty() && status.level_waits.empty();
  for (const PlacementStatus& each : status.placements) {
    shards.push_back(json_of(each, status));
    moves += is_known(each) ? moves_of(each) : 0;
    is_level &= is_known(each) && moves_of(each) == 0;
  }
  return {{"level", is_level},
          {"moves", moves},
          {"waits", status.level_waits},
          {"leaving", status.leaving},
          {"replicas_here", status.replicas_here},
          {"places_open", status.places_open},
          {"leaving_waits", status.leaving_waits},
          {"shards", std::move(shards)}};
}

}  // namespace

void AdminApi::rebalance(const AdminRequest&, AdminAnswer answer) {
  node_.hub().run_task([answer = std::move(answer)](HubThread& self) {
    answer(json_response(json_of_placements(self.hub().status(now()))));
  });
}

}  // namespace shoal
