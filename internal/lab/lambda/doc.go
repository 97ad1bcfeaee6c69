// Package lambda is the lab's AWS Lambda: it runs real bootstrap binaries as AWS does, one process a function.
//
// StartFunction gives a bootstrap the Runtime API on a loopback port and the environment that Lambda gives,
// with a time limit that kills, cold starts after a crash, and one invocation at a time, as a function with
// a reserved concurrency of one has. StartMapping is the event source mapping that feeds a function from SQS;
// StartSchedule is the schedule that invokes one asynchronously. Both reach a function through Invoker alone.
//
// Nothing is started whose environment could reach a real AWS account or a real CA: see CheckLoopback.
// A function's memory is announced, not limited, and a process is not frozen between invocations.
package lambda
