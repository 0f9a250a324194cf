#include "node/serve/recovery_report.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <stdexcept>

#include "node/serve/hex.h"

namespace shoal {
namespace {

namespace json = boost::json;

constexpr uint64_t kReportFormat = 1;

uint64_t id_of(const json::value& value) {
  const std::string text(value.as_string());
  char* end = nullptr;
  const uint64_t id = std::strtoull(text.c_str(), &end, 16);
  if (text.size() != 16 || *end != '\0') throw std::invalid_argument(text + " is no id");
  return id;
}

uint64_t number_of(const json::value& value) { return value.to_number<uint64_t>(); }

json::object json_of(const StoredMember& member) {
  return {{"id", hex(member.id.value)},
          {"name", member.name},
          {"address", member.address},
          {"left", member.left}};
}

StoredMember member_of(const json::value& from) {
  StoredMember member;
  member.id.value = id_of(from.at("id"));
  member.name = std::string(from.at("name").as_string());
  member.address = std::string(from.at("address").as_string());
  member.left = from.at("left").as_bool();
  return member;
}

json::object json_of(const engine::HeldReplica& held) {
  json::array voters;
  for (const NodeId id : held.voters) voters.push_back(json::string(hex(id.value)));
  return {{"shard", held.group.shard},   {"incarnation", held.group.incarnation},
          {"term", held.term},           {"last", held.last},
          {"last_term", held.last_term}, {"applied", held.applied},
          {"voters", std::move(voters)}};
}

engine::HeldReplica replica_of(const json::value& from) {
  engine::HeldReplica held;
  held.group = {from.at("shard").to_number<uint32_t>(), number_of(from.at("incarnation"))};
  held.term = number_of(from.at("term"));
  held.last = number_of(from.at("last"));
  held.last_term = number_of(from.at("last_term"));
  held.applied = number_of(from.at("applied"));
  for (const json::value& each : from.at("voters").as_array()) {
    held.voters.push_back(NodeId{id_of(each)});
  }
  std::sort(held.voters.begin(), held.voters.end());
  return held;
}

engine::NodeReport report_of_json(const json::value& from) {
  engine::NodeReport report;
  report.cluster.high = id_of(from.at("cluster").at(0));
  report.cluster.low = id_of(from.at("cluster").at(1));
  report.node.value = id_of(from.at("node"));
  report.incarnation = number_of(from.at("incarnation"));
  report.shards = from.at("shards").to_number<uint32_t>();
  for (const json::value& each : from.at("members").as_array()) {
    report.members.push_back(member_of(each));
  }
  for (const json::value& each : from.at("replicas").as_array()) {
    report.held.push_back(replica_of(each));
  }
  return report;
}

}  // namespace

engine::NodeReport report_of(const StoredState& state, std::vector<engine::HeldReplica> held) {
  return {.node = state.id,
          .incarnation = state.incarnation,
          .cluster = state.cluster,
          .shards = state.store.shards,
          .members = state.members,
          .held = std::move(held)};
}

std::string text_of(const engine::NodeReport& report) {
  json::array members, replicas;
  for (const StoredMember& each : report.members) members.push_back(json_of(each));
  for (const engine::HeldReplica& each : report.held) replicas.push_back(json_of(each));
  const json::object out{
      {"shoal_report", kReportFormat},
      {"cluster", json::array{hex(report.cluster.high), hex(report.cluster.low)}},
      {"node", hex(report.node.value)},
      {"incarnation", report.incarnation},
      {"shards", report.shards},
      {"members", std::move(members)},
      {"replicas", std::move(replicas)}};
  return json::serialize(out) + "\n";
}

std::variant<engine::NodeReport, std::string> report_of_text(std::string_view text) {
  try {
    const json::value value = json::parse(std::string(text));
    const json::value* const format = value.as_object().if_contains("shoal_report");
    if (format == nullptr) return std::string("is no report of `shoal recover`");
    if (number_of(*format) != kReportFormat) {
      return "is a report of another version of this program, format " + json::serialize(*format);
    }
    return report_of_json(value);
  } catch (const std::exception& error) {
    return std::string("is no whole report of `shoal recover`");
  }
}

}  // namespace shoal
