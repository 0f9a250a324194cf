// A backup as it is read from this node: begun, portion by portion, ended.
#include <boost/json.hpp>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "node/cli/version.h"
#include "node/runtime/clock.h"
#include "node/serve/admin_api.h"
#include "node/serve/hex.h"
#include "node/serve/json_response.h"

namespace shoal {
namespace {

namespace json = boost::json;

// Of the whole text.
std::optional<uint64_t> number_in(const AdminRequest& request, const std::string& name, int base) {
  const auto given = request.query.find(name);
  if (given == request.query.end() || given->second.empty()) return std::nullopt;
  const std::string& text = given->second;
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// All who were ever members: sessions may be attached to any of them.
json::object json_of(const BackupStatus& backup, const HubStatus& status, int64_t wall_ms) {
  json::array members;
  for (const MemberStatus& each : status.members) {
    members.push_back(json::object{{"id", hex(each.id.value)},
                                   {"name", each.name},
                                   {"incarnation", each.incarnation},
                                   {"left", each.state == MemberState::kLeft}});
  }
  return {{"backup", hex(backup.id)},
          {"cluster", hex(status.cluster.high) + hex(status.cluster.low)},
          {"seed", hex(backup.seed)},
          {"shards", backup.shards},
          {"replicas", backup.replicas},
          {"software", kVersion},
          {"protocol", kProtocolMax},
          {"wall_ms", wall_ms},
          {"members", std::move(members)},
          {"bytes", backup.bytes}};
}

}  // namespace

void AdminApi::begin_backup(const AdminRequest&, AdminAnswer answer) {
  node_.hub().command(
      BeginBackupCommand{}, [this, answer = std::move(answer)](const HubEffects::Answer& done) {
        if (!done.ok) return answer(error_response(409, done.text));
        node_.hub().run_task([answer](HubThread& self) {
          const Now time = now();
          const std::optional<BackupStatus> backup = self.hub().backup();
          if (!backup) return answer(error_response(409, "the backup was lost at once"));
          answer(json_response(json_of(*backup, self.hub().status(time), time.wall_ms)));
        });
      });
}

void AdminApi::backup_portion(const AdminRequest& request, AdminAnswer answer) {
  const std::optional<uint64_t> backup = number_in(request, "backup", 16);
  const std::optional<uint64_t> number = number_in(request, "number", 10);
  if (!backup || !number) {
    return answer(
        error_response(400, "expected backup=ID&number=N, of /v1/backup/begin and from 1"));
  }
  node_.hub().command(ReadBackupCommand{*backup, *number},
                      [answer = std::move(answer)](const HubEffects::Answer& done) {
                        if (!done.ok) return answer(error_response(410, done.text));
                        answer({200, done.text, "application/octet-stream"});
                      });
}

void AdminApi::end_backup(const AdminRequest& request, AdminAnswer answer) {
  const std::optional<uint64_t> backup = number_in(request, "backup", 16);
  if (!backup) return answer(error_response(400, "expected backup=ID, of /v1/backup/begin"));
  command(EndBackupCommand{*backup}, std::move(answer));
}

}  // namespace shoal
