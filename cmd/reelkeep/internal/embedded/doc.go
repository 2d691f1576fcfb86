// Package embedded gives one process a Redis and an S3 without any set-up.
//
//	 reelkeep (the parent)                      the same program, started again (the child)
//	┌─────────────────────────┐   stdin: keys  ┌──────────────────────────────┐
//	│ StartRedis ─► miniredis │ ─────────────► │ versitygw over the folder    │
//	│ StartS3    ─► child     │ ◄───────────── │ 127.0.0.1, keys of this run  │
//	└─────────────────────────┘ stdout: ready  └──────────────────────────────┘
//
// Redis lives in memory and is gone with the process. The S3 is the person's own folder: the object
// <video_id>/video.mp4 is the ordinary file <folder>/<video_id>/video.mp4, so an archive can be opened, copied and
// backed up without reelkeep.
//
// The gateway is a child process because it changes the working directory of its process and prints to standard
// output, and both belong to the person who typed the command. Three rules tie the two together:
//
//   - The child ends when its standard input closes. The kernel closes it whichever way the parent dies, SIGKILL
//     included, so no server is left behind.
//   - The child has a process group of its own and ignores SIGINT, SIGTERM and SIGHUP. Ctrl-C on a terminal and a stop
//     of the service reach every process at once; the store must outlive the uploads that the parent still drains.
//   - The child holds a lock in the folder. The gateway keeps an object's attributes beside the file; two gateways on
//     one folder would each trust what only they know.
//
// Attributes (ETag, checksum, metadata) are extended attributes of the files. Where the file system has none they are
// files in the state directory, in a place derived from the folder's path.
package embedded
