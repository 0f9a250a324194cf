// What a node answers on its admin address.
//
//   GET  /livez /readyz /metrics                for anyone
//   GET  /v1/members /v1/clients /v1/sessions   JSON; these and what follows for the trusted only
//        /v1/subscriptions[?client=ID] /v1/retained[?filter=FILTER] /v1/shards /v1/rebalance
//   POST /v1/drain?rate=N[&leaving=true] /v1/move-away[?withdrawn=true] /v1/leave
//        /v1/remove?node=NODE /v1/kick?client=ID
//   POST /v1/backup/begin /v1/backup/end?backup=ID, GET /v1/backup/portion?backup=ID&number=N
//                                               docs/decisions/0006-backup.md
#pragma once

#include <map>
#include <string>

#include "node/runtime/admin_server.h"
#include "node/serve/metrics.h"
#include "node/serve/running_node.h"

namespace shoal {

class AdminApi {
 public:
  // `node` outlives it, and every answer that is still to be given.
  explicit AdminApi(RunningNode& node);

  void handle(const AdminRequest& request, AdminAnswer answer);

 private:
  struct Route {
    std::string method;
    bool is_open = false;  // for anyone
    void (AdminApi::*handle)(const AdminRequest&, AdminAnswer);
  };

  void livez(const AdminRequest& request, AdminAnswer answer);
  void readyz(const AdminRequest& request, AdminAnswer answer);
  void metrics(const AdminRequest& request, AdminAnswer answer);
  void members(const AdminRequest& request, AdminAnswer answer);
  void shards(const AdminRequest& request, AdminAnswer answer);
  void rebalance(const AdminRequest& request, AdminAnswer answer);
  void sessions(const AdminRequest& request, AdminAnswer answer);
  void clients(const AdminRequest& request, AdminAnswer answer);
  void subscriptions(const AdminRequest& request, AdminAnswer answer);
  void retained(const AdminRequest& request, AdminAnswer answer);
  void drain(const AdminRequest& request, AdminAnswer answer);
  void move_away(const AdminRequest& request, AdminAnswer answer);
  void leave(const AdminRequest& request, AdminAnswer answer);
  void remove(const AdminRequest& request, AdminAnswer answer);
  void kick(const AdminRequest& request, AdminAnswer answer);
  void begin_backup(const AdminRequest& request, AdminAnswer answer);
  void backup_portion(const AdminRequest& request, AdminAnswer answer);
  void end_backup(const AdminRequest& request, AdminAnswer answer);

  void command(HubCommand command, AdminAnswer answer);
  ProcessFigures process_figures() const;

  RunningNode& node_;
  const Instant started_at_;
  std::map<std::string, Route> routes_;
};

}  // namespace shoal
