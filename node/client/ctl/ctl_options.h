// The command line of `shoal ctl`.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "node/client/client_options.h"
#include "node/client/ctl/backup_options.h"
#include "shoal/types.h"

namespace shoal::ctl {

enum class Verb : uint8_t {
  kMembers,
  kShards,
  kRebalance,
  kSessions,
  kSubscriptions,
  kRetained,
  kDrain,
  kLeave,
  kRemove,
  kKick
};

struct CtlOptions {
  Verb verb = Verb::kMembers;
  std::string data_dir = "./shoal-data";  // its ctl.sock is asked, unless `admin` is given
  std::string admin;                      // http://HOST:PORT
  std::string token_file;                 // for `admin`
  bool json = false;
  uint32_t per_second = 100;  // drain, leave: clients to close a second; 0 ends the draining
  bool is_leaving = false;    // drain: as a part of leave
  bool wait = false;          // drain: until no client is left; rebalance: until all is level
  bool at_once = false;       // leave: replicas stay here, and go with the node
  Duration patience = Duration::seconds(60);  // drain --wait, leave: with the clients
  std::string subject;  // remove: a node; kick, subscriptions: a client id; retained: a filter
  BackupOptions backup;
};

std::variant<CtlOptions, ClientUsage> ctl_options_of(int argc, const char* const* argv);

}  // namespace shoal::ctl
