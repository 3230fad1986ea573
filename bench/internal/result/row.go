package result

import (
	"maps"
	"math"
	"slices"
)

// Row is one kind of work, done by all contenders.
type Row struct {
	Work
	Control       string   `json:"control,omitempty"` // whom the ratios relate to; empty: there are none
	ControlSpread float64  `json:"control_spread"`    // of the control's Main metric: the noise
	Results       []Result `json:"results"`
}

// Result is what one contender reached.
type Result struct {
	Name    string            `json:"name"`
	Figures map[Metric]Figure `json:"figures"`
	Samples []Sample          `json:"samples"`
}

// Sample is one measurement. A contender may have several in a round.
type Sample struct {
	Round  int                `json:"round"`
	Values map[Metric]float64 `json:"values"`
}

// Figure is a metric over all rounds. Spreads are (largest - smallest) / median.
type Figure struct {
	Median      float64 `json:"median"`
	Spread      float64 `json:"spread"`
	Ratio       float64 `json:"ratio,omitempty"` // to the control; 0 if that was not measured, or was 0
	RatioSpread float64 `json:"ratio_spread,omitempty"`
}

// Main is the metric by which contenders of a kind are compared.
func (k Kind) Main() Metric {
	switch k {
	case Open, Beside:
		return P99
	case Idle:
		return BytesFreed
	case Cost, System, Twins:
		return NS
	default:
		return CPU
	}
}

// Add gives a contender one sample more. The first call for a name decides the place of
// its result. A value that is not finite was not measured: the interval was too short for
// the clocks.
func (r *Row) Add(name string, round int, values map[Metric]float64) {
	maps.DeleteFunc(values, func(_ Metric, v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	i := slices.IndexFunc(r.Results, func(res Result) bool { return res.Name == name })
	if i < 0 {
		i = len(r.Results)
		r.Results = append(r.Results, Result{Name: name})
	}
	r.Results[i].Samples = append(r.Results[i].Samples, Sample{round, values})
}

// Summarise fills in the figures from the samples.
func (r *Row) Summarise() {
	var control Result
	if i := slices.IndexFunc(r.Results, func(res Result) bool { return res.Name == r.Control }); i >= 0 {
		control = r.Results[i]
	}
	for i := range r.Results {
		res := &r.Results[i]
		res.Figures = map[Metric]Figure{}
		for _, s := range res.Samples {
			for m := range s.Values {
				if _, done := res.Figures[m]; !done {
					res.Figures[m] = res.figure(m, control)
				}
			}
		}
	}
	f, _ := r.Figure(r.Control, r.Kind.Main())
	r.ControlSpread = f.Spread
}

func (r *Result) figure(m Metric, control Result) Figure {
	var values, ratios []float64
	for _, s := range r.Samples {
		v, ok := s.Values[m]
		if !ok {
			continue
		}
		values = append(values, v)
		if c := control.mean(m, s.Round); c > 0 {
			ratios = append(ratios, v/c)
		}
	}
	f := Figure{Median: Median(values), Spread: Spread(values)}
	if len(ratios) > 0 {
		f.Ratio, f.RatioSpread = Median(ratios), Spread(ratios)
	}
	return f
}

// mean of a metric over the samples of one round; 0 if there are none.
func (r *Result) mean(m Metric, round int) float64 {
	sum, n := 0.0, 0
	for _, s := range r.Samples {
		if v, ok := s.Values[m]; ok && s.Round == round {
			sum += v
			n++
		}
	}
	return sum / float64(max(n, 1))
}

// Result finds a contender's result.
func (r *Row) Result(name string) (Result, bool) {
	i := slices.IndexFunc(r.Results, func(res Result) bool { return res.Name == name })
	if i < 0 {
		return Result{}, false
	}
	return r.Results[i], true
}

// Figure finds a contender's figure.
func (r *Row) Figure(name string, m Metric) (Figure, bool) {
	res, _ := r.Result(name)
	f, ok := res.Figures[m]
	return f, ok
}

// Between is the ratio of two contenders' figures. It is the median over the rounds in
// which both were measured.
func (r *Row) Between(over, under string, m Metric) (ratio float64, ok bool) {
	a, okA := r.Result(over)
	b, okB := r.Result(under)
	if !okA || !okB {
		return 0, false
	}
	f := a.figure(m, b)
	return f.Ratio, f.Ratio > 0
}

// Median of a list that is not empty.
func Median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// Spread of a list that is not empty: (largest - smallest) / median, and 0 when the
// median is.
func Spread(values []float64) float64 {
	m := Median(values)
	if m == 0 {
		return 0
	}
	return (slices.Max(values) - slices.Min(values)) / m
}
