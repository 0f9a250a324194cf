#include "node/client/ctl/admin_source.h"

#include <charconv>
#include <utility>

#include "node/client/ctl/answer.h"

namespace shoal::ctl {
namespace {

namespace json = boost::json;

constexpr int kAdminOk = 200;
constexpr int kHexBase = 16;

uint64_t id_in(const json::value& from, const char* key) {
  const std::string text = text_of(from.at(key));
  uint64_t id = 0;
  std::from_chars(text.data(), text.data() + text.size(), id, kHexBase);
  return id;
}

backup::Source::Begun begun_of(const json::value& answer) {
  backup::Source::Begun begun;
  backup::Manifest& of = begun.of;
  of.wall_ms = answer.at("wall_ms").to_number<int64_t>();
  of.cluster = text_of(answer.at("cluster"));
  of.seed = id_in(answer, "seed");
  of.shards = answer.at("shards").to_number<uint32_t>();
  of.replicas = answer.at("replicas").to_number<uint32_t>();
  of.software = text_of(answer.at("software"));
  of.protocol = answer.at("protocol").to_number<uint32_t>();
  for (const json::value& each : answer.at("members").as_array()) {
    of.members.push_back({id_in(each, "id"), text_of(each.at("name")),
                          each.at("incarnation").to_number<uint64_t>()});
  }
  begun.bytes = answer.at("bytes").to_number<uint64_t>();
  return begun;
}

}  // namespace

absl::StatusOr<backup::Source::Begun> AdminSource::begin() {
  const Answer answer = answer_of(client_.ask("POST", "/v1/backup/begin"));
  if (!answer.failure.empty()) return absl::UnavailableError(answer.failure);
  try {
    id_ = text_of(answer.value.at("backup"));
    return begun_of(answer.value);
  } catch (const std::exception& error) {
    return absl::DataLossError(std::string("the node's answer makes no sense: ") + error.what());
  }
}

absl::StatusOr<proto::BackupPortion> AdminSource::portion(uint64_t number) {
  const AdminReply reply =
      client_.ask("GET", "/v1/backup/portion?backup=" + id_ + "&number=" + std::to_string(number));
  if (reply.status != kAdminOk) {
    return absl::UnavailableError("the backup is over: " + answer_of(reply).failure);
  }
  proto::BackupPortion portion;
  if (!portion.ParseFromString(reply.body)) {
    return absl::DataLossError("portion " + std::to_string(number) + " cannot be read");
  }
  return portion;
}

void AdminSource::end() { client_.ask("POST", "/v1/backup/end?backup=" + id_); }

}  // namespace shoal::ctl
