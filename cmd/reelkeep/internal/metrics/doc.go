// Package metrics shows Prometheus how the work goes.
//
// Counters and histograms are this process's own and are fed as things happen: Metrics is an Observer of the worker and
// of fetch, and has a method for each of the other rooms to call. What lies in Redis belongs to the whole fleet, and
// every process shows the same of it: Watch asks for it in the background and keeps the last answer, so that /metrics is
// there when it is needed most, while Redis is away. Add counters up over processes; of the gauges from Redis take the
// max.
//
// Names, label names and label values are a contract: testdata/metrics.txt has all of them, and docs/metrics.md says what
// they mean. Every label value exists at zero from the start, since a rate over a series that is born at one is zero. No
// label holds an id, a host or a text of somebody else's.
package metrics
