import { formattedValueToString, getFieldDisplayValues } from '@grafana/data';
import { useTheme2, VizLayout, VizLegend } from '@grafana/ui';
import { empty, NoData } from './nodata.jsx';

// PiePanel shows each value's share of the sum.
export function PiePanel(props) {
  const { data, fieldConfig, options, replaceVariables, timeZone, width, height } = props;
  const theme = useTheme2();
  if (empty(data)) return <NoData {...props} />;
  const values = getFieldDisplayValues({ fieldConfig, reduceOptions: { calcs: ['lastNotNull'], ...options.reduceOptions }, replaceVariables, theme, data: data.series, timeZone })
    .map(({ display }) => display).filter(({ numeric }) => numeric > 0).sort((a, b) => b.numeric - a.numeric);
  const total = values.reduce((sum, { numeric }) => sum + numeric, 0);
  const { showLegend = true, displayMode = 'list', placement = 'bottom', values: shown = [] } = options.legend ?? {};
  const items = values.map((display, i) => ({
    label: display.title, color: display.color, yAxis: 1,
    getDisplayValues: () => shown.map((what) => (what === 'percent' ? { title: 'Percent', text: `${(display.numeric / total * 100).toFixed(0)}%`, numeric: display.numeric }
      : { ...display, title: 'Value' })),
    getItemKey: () => `${i}`,
  }));
  const legend = showLegend ? <VizLayout.Legend placement={placement}><VizLegend placement={placement} displayMode={displayMode} items={items} seriesVisibilityChangeBehavior="hide" /></VizLayout.Legend> : null;
  return (
    <VizLayout width={width} height={height} legend={legend}>
      {(w, h) => <Pie values={values} total={total} width={w} height={h} hole={options.pieType === 'donut' ? 0.6 : 0} theme={theme} />}
    </VizLayout>
  );
}

function Pie({ values, total, width, height, hole, theme }) {
  let turned = 0;
  return (
    <svg width={width} height={height} viewBox="-105 -105 210 210">
      {values.map((display, i) => {
        const share = display.numeric / total;
        const from = turned;
        turned += share;
        return <path key={i} d={slice(from, Math.min(turned, from + 0.99999), 100, 100 * hole)} fill={display.color} stroke={theme.colors.background.primary} strokeWidth="1"><title>{`${display.title}: ${formattedValueToString(display)}`}</title></path>;
      })}
    </svg>
  );
}

function slice(from, to, outer, inner) {
  const at = (turn, radius) => `${(Math.sin(turn * 2 * Math.PI) * radius).toFixed(2)} ${(-Math.cos(turn * 2 * Math.PI) * radius).toFixed(2)}`;
  const large = to - from > 0.5 ? 1 : 0;
  return `M ${at(from, outer)} A ${outer} ${outer} 0 ${large} 1 ${at(to, outer)} L ${at(to, inner)} A ${inner} ${inner} 0 ${large} 0 ${at(from, inner)} Z`;
}
