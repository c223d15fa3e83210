// What pages use of the chart library, in one place.
export {default as Plot} from './vendor/uPlot.mjs'
