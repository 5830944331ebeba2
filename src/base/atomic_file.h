#pragma once

#include <filesystem>
#include <string>

namespace svd {

/// fsyncs `from` and renames it to `to` in the same file system. Without `overwrite` an existing
/// `to` is an error and stays untouched. Throws Error{output}.
void publish_file(const std::filesystem::path& from, const std::filesystem::path& to,
                  bool overwrite);

/// A file or folder that appears under its final name only when it is complete. It is written
/// under `temporary_path()`, a hidden name in the same folder; `commit` fsyncs and renames it.
/// Destroyed without commit, it is removed. It is locked (flock) as long as the process lives, so
/// that another can tell what was left behind. Throws Error{output}.
class AtomicPath {
 public:
  enum class Type { file, folder };

  /// Creates and locks the (empty) temporary. The parent must exist.
  AtomicPath(const std::filesystem::path& final_path, Type type);
  ~AtomicPath();
  AtomicPath(const AtomicPath&) = delete;
  AtomicPath& operator=(const AtomicPath&) = delete;

  const std::filesystem::path& temporary_path() const { return temporary_; }

  /// Publishes. Without `overwrite` an existing final path is an error and stays untouched
  /// (renameat2(RENAME_NOREPLACE), link + unlink where the file system lacks it).
  void commit(bool overwrite);

 private:
  std::filesystem::path final_;
  std::filesystem::path temporary_;
  Type type_;
  int lock_ = -1;  ///< a descriptor of the temporary
  bool committed_ = false;
};

/// Writes a text file that appears complete under its name, as AtomicPath has it.
void write_text_file(const std::filesystem::path& path, const std::string& text, bool overwrite);

/// Removes the temporaries in `folder` whose process has ended without removing them. Returns how
/// many there were; a folder that cannot be read has none.
int remove_abandoned(const std::filesystem::path& folder);

}  // namespace svd
