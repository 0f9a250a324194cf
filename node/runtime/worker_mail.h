// What other threads post to a worker.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "node/runtime/file_descriptor.h"
#include "shoal/access.h"
#include "shoal/peers.h"

namespace shoal {

class Worker;

// A connection that another worker accepted. Counted by the ledger for its new worker.
struct AcceptedSocket {
  FileDescriptor fd;
  uint16_t listener = 0;
  std::string address;
};

struct CheckedCredentials {
  ConnId conn;
  CredentialAnswer answer;
};

// Runs on the worker's thread, between events: for what is asked seldom.
using WorkerTask = std::function<void(Worker&)>;

using WorkerMail = std::variant<ToWorker, AcceptedSocket, CheckedCredentials, WorkerTask>;

// Where a worker's mail for the hub goes. Any thread.
class HubInbox {
 public:
  virtual ~HubInbox() = default;
  // Takes all of `mails` and leaves it empty. True: all of it is done, and what the hub has to say to
  // it is in the mailboxes already.
  virtual bool post(WorkerIndex from, std::vector<ToHub>& mails) = 0;
};

// Who checks what a CONNECT says about its sender. Any thread.
class CredentialDesk {
 public:
  virtual ~CredentialDesk() = default;
  // Now, where it takes no time; otherwise later, as CheckedCredentials.
  virtual std::optional<CredentialAnswer> check(CredentialCheck&& check, Worker& asker) = 0;
};

}  // namespace shoal
