// Panels of single values: numbers, bars, dials.
import { useCallback } from 'react';
import { formattedValueToString, getDisplayValueAlignmentFactors, getFieldDisplayValues, VizOrientation } from '@grafana/data';
import { BarGauge, BigValue, DataLinksContextMenu, useTheme2, VizRepeater } from '@grafana/ui';
import { empty, NoData } from './nodata.jsx';

export function StatPanel(props) {
  const { options, width, height } = props;
  return (
    <Values {...props} sparkline={(options.graphMode ?? 'area') !== 'none'}>
      {({ value, width, height, onClick, count, alignmentFactors, theme }) => (
        <BigValue value={value.display} count={count} sparkline={value.sparkline} colorMode={options.colorMode ?? 'value'} graphMode={options.graphMode ?? 'area'}
          justifyMode={options.justifyMode ?? 'auto'} textMode={options.textMode ?? 'auto'} alignmentFactors={alignmentFactors} text={options.text}
          width={width} height={height} theme={theme} onClick={onClick} disableWideLayout={options.wideLayout === false}
          percentChangeColorMode={options.percentChangeColorMode} showPercentChange={options.showPercentChange} />
      )}
    </Values>
  );
}

export function BarGaugePanel(props) {
  const { options } = props;
  return (
    <Values {...props} orientationOf={orientation} minVizHeight={options.minVizHeight ?? 16} minVizWidth={options.minVizWidth ?? 8}>
      {({ value, width, height, onClick, alignmentFactors, theme, orientation }) => (
        <BarGauge value={value.display} field={value.field} display={value.view?.getFieldDisplayProcessor(value.colIndex)} orientation={orientation} width={width} height={height}
          displayMode={options.displayMode ?? 'gradient'} showUnfilled={options.showUnfilled ?? true} valueDisplayMode={options.valueMode} namePlacement={options.namePlacement}
          text={options.text} alignmentFactors={alignmentFactors} itemSpacing={8} theme={theme} onClick={onClick} />
      )}
    </Values>
  );
}

export function GaugePanel(props) {
  return <Values {...props}>{(each) => <Dial {...each} options={props.options} />}</Values>;
}

const orientation = (options, width, height) => (options.orientation && options.orientation !== 'auto' ? options.orientation : width > height ? VizOrientation.Vertical : VizOrientation.Horizontal);

// Values repeats a component for each value that the panel's reduce options make of its data.
function Values({ children, orientationOf, sparkline, minVizHeight, minVizWidth, ...props }) {
  const { data, fieldConfig, options, replaceVariables, timeZone, width, height, renderCounter } = props;
  const theme = useTheme2();
  const getValues = useCallback(() => getFieldDisplayValues({
    fieldConfig, reduceOptions: { calcs: ['lastNotNull'], ...options.reduceOptions }, replaceVariables, theme, data: data.series, sparkline, timeZone,
  }), [data, fieldConfig, options, theme, timeZone, sparkline, replaceVariables]);
  if (empty(data)) return <NoData {...props} />;
  const orientation = orientationOf?.(options, width, height) ?? options.orientation ?? VizOrientation.Auto;
  return (
    <VizRepeater source={data} getValues={getValues} getAlignmentFactors={getDisplayValueAlignmentFactors} width={width} height={height} renderCounter={renderCounter}
      orientation={orientation} autoGrid itemSpacing={8} minVizHeight={minVizHeight} minVizWidth={minVizWidth}
      renderValue={(each) => {
        const show = (onClick) => children({ ...each, theme, onClick, orientation: each.orientation });
        return each.value.hasLinks && each.value.getLinks
          ? <DataLinksContextMenu links={each.value.getLinks} style={{ flexGrow: 1 }}>{({ openMenu }) => show(openMenu)}</DataLinksContextMenu> : show();
      }} />
  );
}

const arc = (radius, from, to) => {
  const at = (share) => [Math.cos(Math.PI * (1 - share)) * radius, -Math.sin(Math.PI * (1 - share)) * radius].map((n) => n.toFixed(2)).join(' ');
  return `M ${at(from)} A ${radius} ${radius} 0 0 1 ${at(to)}`;
};

// Dial is half a circle, filled as far as the value reaches between the field's minimum and maximum.
function Dial({ value: { display, field }, width, height, count, options, theme, onClick }) {
  const { min = 0, max = 100 } = field;
  const share = (n) => Math.min(1, Math.max(0, (n - min) / (max - min || 1)));
  const text = formattedValueToString(display);
  const steps = field.thresholds?.mode === 'percentage' ? [] : field.thresholds?.steps ?? [];
  return (
    <svg width={width} height={height} viewBox="-110 -112 220 140" onClick={onClick} role="img" aria-label={text}>
      <g fill="none" strokeWidth="20">
        <path d={arc(88, 0, 1)} stroke={theme.colors.background.secondary} />
        {display.numeric > min && <path d={arc(88, 0, share(display.numeric))} stroke={display.color} />}
        {(options.showThresholdMarkers ?? true) && steps.map(({ value, color }, i) => (
          <path key={i} strokeWidth="4" d={arc(103, share(value), share(steps[i + 1]?.value ?? max))} stroke={theme.visualization.getColorByName(color)} />))}
      </g>
      <text textAnchor="middle" y="-8" fontSize={Math.min(38, 240 / text.length)} fontWeight="500" fill={display.color}>{text}</text>
      {count > 1 && <text textAnchor="middle" y="20" fontSize="15" fill={theme.colors.text.primary}>{display.title}</text>}
    </svg>
  );
}
