// What other threads post to a worker.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "node/broker/moved_client.h"
#include "node/runtime/file_descriptor.h"
#include "node/runtime/transport.h"
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

// A connection that another worker had, with all that its broker had of it. Counted by the ledger for its
// new worker.
struct MovedSocket {
  FileDescriptor fd;
  std::unique_ptr<Transport> transport;  // null: plain TCP
  uint16_t listener = 0;
  uint64_t rights_round = 0;  // Worker::rights_renewed() there
  std::unique_ptr<MovedClient> client;
};

struct CheckedCredentials {
  ConnId conn;
  CredentialAnswer answer;
};

// Runs on the worker's thread, between events: for what is asked seldom.
using WorkerTask = std::function<void(Worker&)>;

using WorkerMail =
    std::variant<ToWorker, AcceptedSocket, MovedSocket, CheckedCredentials, WorkerTask>;

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
  // Gives the clients of a worker the rights that they have now. On the worker's thread.
  virtual void renew_rights(Worker&) {}
};

}  // namespace shoal
