// One HTTP request to a node's admin address or Unix socket, waited for.
#pragma once

#include <optional>
#include <string>

#include "node/client/ctl/ctl_options.h"

namespace shoal::ctl {

struct AdminReply {
  int status = 0;  // 0: nobody answered, `body` says why
  std::string body;
};

class AdminClient {
 public:
  explicit AdminClient(const CtlOptions& options) : options_(options) {}

  // `method` is GET or POST; `target` the path with its query.
  AdminReply ask(const std::string& method, const std::string& target) const;

 private:
  const CtlOptions& options_;
};

}  // namespace shoal::ctl
