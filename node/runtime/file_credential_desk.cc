#include "node/runtime/file_credential_desk.h"

#include <utility>

#include "node/runtime/clock.h"

namespace shoal {

FileCredentialDesk::FileCredentialDesk(CredentialFiles files, int threads)
    : files_(std::make_shared<const CredentialFiles>(std::move(files))) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

FileCredentialDesk::~FileCredentialDesk() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::optional<CredentialAnswer> FileCredentialDesk::check(CredentialCheck&& check, Worker& asker) {
  const auto files = this->files();
  if (!files->is_slow(check)) return files->answer(check);
  {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= kWaitingMax) {
      return CredentialAnswer{CredentialAnswer::Outcome::kUnavailable, {}, nullptr};
    }
    jobs_.push_back({std::move(check), &asker});
  }
  changed_.notify_one();
  return std::nullopt;
}

void FileCredentialDesk::replace(CredentialFiles files) {
  auto fresh = std::make_shared<const CredentialFiles>(std::move(files));
  const std::lock_guard lock(mutex_);
  files_.swap(fresh);
}

std::shared_ptr<const CredentialFiles> FileCredentialDesk::files() const {
  const std::lock_guard lock(mutex_);
  return files_;
}

void FileCredentialDesk::renew_rights(Worker& worker) { apply_rights(*files(), worker); }

size_t FileCredentialDesk::waiting_count() const {
  const std::lock_guard lock(mutex_);
  return jobs_.size();
}

void FileCredentialDesk::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const Job job = std::move(jobs_.front());
    jobs_.pop_front();
    const auto files = files_;
    lock.unlock();
    job.asker->post(CheckedCredentials{job.check.conn, files->answer(job.check)});
    lock.lock();
  }
}

void apply_rights(const CredentialFiles& files, Worker& worker) {
  // Collected first: an answer changes the sessions that are walked over.
  std::vector<std::pair<ConnId, CredentialAnswer>> answers;
  worker.broker().for_each_session([&](const SessionInfo& session) {
    const auto listener = worker.listener_of(session.conn);
    if (!listener) return;
    auto access = files.access_of(*listener, session.user, session.client_id);
    CredentialAnswer answer;
    answer.user = session.user;
    if (access) {
      answer.access = *std::move(access);
    } else {
      answer.outcome = CredentialAnswer::Outcome::kNotAuthorized;
    }
    answers.emplace_back(session.conn, std::move(answer));
  });
  for (const auto& [conn, answer] : answers) {
    worker.broker().on_credentials(conn, answer, now());
  }
}

}  // namespace shoal
