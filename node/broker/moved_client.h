// A client's connection on its way from one worker of a node to another: all that a broker has of it while
// nothing of it is open. Its socket goes with it, and what the client sends meanwhile waits in that.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "node/broker/connection.h"
#include "node/broker/session.h"
#include "shoal/types.h"

namespace shoal {

struct MovedClient {
  WorkerIndex from = 0;
  uint64_t number = 0;    // of `from`, for ClaimMove
  uint64_t closings = 0;  // how often `from` had closed all its connections
  ConnectionTerms terms;
  Instant last_in;
  std::string address;
  std::unique_ptr<ConnectionExtra> extra;

  std::string client_id;
  Stamp claim;
  std::unique_ptr<SessionExtra> session_extra;
};

}  // namespace shoal
